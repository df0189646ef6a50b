import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startVictim } from '../support/crash.js'
import { startPostgres } from '../support/postgres-server.js'
import { benchReads } from './registry/reads.js'
import { measurePublishes, publishRows } from './registry/publishing.js'
import { openStage } from './registry/stage.js'
import { benchSteps } from './registry/steps.js'
import type { Row } from './measure.js'

/** What a database promises that a business runs on. */
const DURABLE = ['-c', 'fsync=on', '-c', 'synchronous_commit=on', '-c', 'max_connections=100']

/** A registry as people run it, in processes of its own, seen from outside. */
export async function benchRegistry(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  try {
    return [
      ...(await benchSqlite(join(folder, 'sqlite'))),
      ...(await benchPostgres(join(folder, 'postgres'))),
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function benchSqlite(folder: string): Promise<Row[]> {
  const stage = await openStage(folder)
  const { victim } = stage
  try {
    const reads = await benchReads(folder, stage, say)
    const publishing = await measurePublishes(folder, stage, [victim.url], [victim.child.pid ?? 0])
    say(await benchSteps(1_000_000 / publishing.rate))
    return [...reads, ...publishRows('publish', publishing, true)]
  } finally {
    await victim.end('SIGTERM')
  }
}

/** The same on PostgreSQL: by one process, and by two that share the work. */
async function benchPostgres(folder: string): Promise<Row[]> {
  const server = await startPostgres(DURABLE)
  try {
    const settings = { COUNTERSIGN_DATABASE_URL: server.url }
    const stage = await openStage(folder, settings)
    const first = stage.victim
    try {
      const one = await measurePublishes(folder, stage, [first.url], [first.child.pid ?? 0])
      const second = await startVictim(folder, [], { ...settings, COUNTERSIGN_PUBLIC_URL: first.url })
      try {
        const pids = [first, second].map(({ child }) => child.pid ?? 0)
        const two = await measurePublishes(folder, stage, [first.url, second.url], pids)
        return [
          ...publishRows('publish-postgres', one, false),
          ...publishRows('publish-postgres-two', two, false),
        ]
      } finally {
        await second.end('SIGTERM')
      }
    } finally {
      await first.end('SIGTERM')
    }
  } finally {
    await server.stop()
  }
}
