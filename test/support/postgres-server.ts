import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { openPostgresStore } from '../../src/storage/postgres.js'
import { TEMPLATE } from './postgres.js'
import { freePort } from './ports.js'
import { program } from './programs.js'

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

/** Until it listens, somebody else may take its port. */
export async function startPostgres(flags: readonly string[] = FLAGS, tries = 3): Promise<TestServer> {
  try {
    return await startOnce(flags)
  } catch (cause) {
    if (tries === 1) throw cause
    return startPostgres(flags, tries - 1)
  }
}

async function startOnce(flags: readonly string[]): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-postgres-'))
  const port = await freePort()
  const [command, ...args] = program('postgres-main.ts', folder, String(port), JSON.stringify(flags))
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const ready = async (): Promise<void> => {
    const failed = ended.then(() => Promise.reject(new Error(`PostgreSQL did not start:\n${said}`)))
    await Promise.race([once(lines, 'line'), failed])
  }
  await ready()
  const kill = async (): Promise<void> => {
    const [pid] = (await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8')).split('\n')
    process.kill(Number(pid), 'SIGKILL')
  }
  const restart = async (): Promise<void> => {
    child.stdin.write('start\n')
    await ready()
  }
  const stop = async (): Promise<void> => {
    child.stdin.end()
    await ended
  }
  return { url: `postgres://registry:registry@127.0.0.1:${port}/postgres`, kill, restart, stop }
}
