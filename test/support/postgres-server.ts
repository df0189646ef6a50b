import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { openPostgresStore } from '../../src/storage/postgres.js'
import { TEMPLATE } from './postgres.js'
import { onFreePort } from './ports.js'
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
  const store = await openPostgresStore(at.href, { connectMs: 60_000 })
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

/**
 * Nobody pulls the plug of this machine: what a commit promises after that is PostgreSQL's business. No database lives long
 * enough to need its housekeeping, and nobody but tests is active in it.
 */
const FLAGS = [
  ...['-c', 'fsync=off', '-c', 'max_connections=300', '-c', 'shared_buffers=64MB'],
  ...['-c', 'autovacuum=off'],
]

export function startPostgres(flags: readonly string[] = FLAGS): Promise<TestServer> {
  return onFreePort((port) => startAt(port, flags))
}

async function startAt(port: number, flags: readonly string[]): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-postgres-'))
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
    await killWithChildren(Number(pid))
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

/** All of them, and resolves when they are gone: left alone, they would notice one by one that the first of them is. */
async function killWithChildren(pid: number): Promise<void> {
  // From here on it has no more children.
  process.kill(pid, 'SIGSTOP')
  const all = [pid, ...(await childrenOf(pid))]
  for (const one of all) killIfThere(one)
  for (const one of all) while ((await readProcess(one)) !== undefined) await wait(5)
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause
  }
}

/** None where there is no /proc to ask. */
async function childrenOf(pid: number): Promise<number[]> {
  const names = await readdir('/proc').catch(() => [])
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(pids.map(async (one) => (await readProcess(one))?.parent))
  return pids.filter((_, i) => parents[i] === pid)
}

/** Undefined for one that has ended, whether or not anybody has heard of it. */
async function readProcess(pid: number): Promise<{ readonly parent: number } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // Its name, in brackets, can hold anything.
  const [state = '', parent = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return state === '' || state === 'Z' || state === 'X' ? undefined : { parent: Number(parent) }
}
