import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseEvent } from 'countersign/core'
import { checkLog } from '../../src/log/fsck.js'
import { openKeys } from '../../src/log/keys.js'
import { openPostgresStore } from '../../src/storage/postgres.js'
import { enrol, envelopeOf, startVictim, type VictimProcess } from './crash.js'
import { publishUntil, readUntil, type LoadMade } from './many-load.js'
import { makeDatabase, type TestDatabase } from './postgres.js'
import { runCountersign } from './processes.js'
import { bootstrap, newKey, send, type Client } from './registry.js'
import { readWholeLog, type WholeLog } from './whole-log.js'

/** What happens to one of the processes, or to its connections, in one round. */
export type Blow = 'killed' | 'stopped' | 'cut-off'

export interface Round {
  readonly blow: Blow
  /** How long the load runs before the blow, and how long a stopped process stays so. */
  readonly beforeMs: number
  readonly forMs: number
}

/** Registry processes over one PostgreSQL, and everything they ever promised together. */
export interface ManyStage extends LoadMade {
  /** Everybody publishes and reads, one of them is hit, the others go on; a killed one is started again. */
  round(round: Round): Promise<void>
  /** Everything is held against every promise; at every process. */
  settle(): Promise<WholeLog>
  remove(): Promise<void>
}

interface Scene {
  readonly folder: string
  readonly database: TestDatabase
  readonly made: LoadMade
  readonly processes: VictimProcess[]
  readonly start: () => Promise<VictimProcess>
}

export async function openManyStage(count: number): Promise<ManyStage> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-many-'))
  const database = await makeDatabase()
  const settings = { COUNTERSIGN_DATABASE_URL: database.url }
  const made: LoadMade = { acknowledged: [], unanswered: [], seen: [], refused: 0 }
  const start = (): Promise<VictimProcess> => startVictim(folder, [], settings)
  const scene: Scene = { folder, database, made, processes: [], start }
  try {
    return await openStage(scene, count)
  } catch (cause) {
    await removeScene(scene)
    throw cause
  }
}

async function openStage(scene: Scene, count: number): Promise<ManyStage> {
  const { made, processes } = scene
  const first = await scene.start()
  processes.push(first)
  const client = await bootstrap(first.url, 'admin', first.password ?? '')
  const key = newKey()
  const identity = await enrol(first.url, client, key)
  processes.push(...(await Promise.all(Array.from({ length: count - 1 }, () => scene.start()))))
  let serial = 0
  let turn = 0
  return Object.assign(made, {
    round: (round: Round) =>
      playRound(scene, client, () => envelopeOf(identity, serial++, key), {
        ...round,
        victim: turn++ % count,
      }),
    settle: () => settle(scene),
    remove: () => removeScene(scene),
  })
}

async function playRound(
  scene: Scene,
  client: Client,
  next: () => { readonly envelope: string; readonly manifest: string },
  { blow, beforeMs, forMs, victim }: Round & { readonly victim: number },
): Promise<void> {
  const { made, processes } = scene
  const over = new AbortController()
  const loads = processes.map((one) => publishUntil(over.signal, one.url, client, next, made))
  const answering = new Set<number>()
  const reads = processes.map((one, i) => readUntil(over.signal, one.url, made.seen, () => answering.add(i)))
  const all = Promise.all([...loads, ...reads])
  // What breaks a promise ends the round at once.
  const others = processes.flatMap((_, i) => (i === victim ? [] : [i]))
  try {
    await Promise.race([all, wait(beforeMs)])
    answering.clear()
    const restarted = await strike(scene, blow, victim, forMs)
    if (restarted !== undefined) processes[victim] = restarted
    // Whoever was not hit goes on, and so does whoever was, or comes in its place.
    await Promise.race([all, wait(beforeMs).then(() => allOf(others, answering))])
  } finally {
    over.abort()
  }
  await all
}

const ANSWER_MS = 60_000

/** Each of them answers, however slow the machine is. */
async function allOf(processes: readonly number[], answering: ReadonlySet<number>): Promise<void> {
  const end = performance.now() + ANSWER_MS
  for (;;) {
    const silent = processes.find((one) => !answering.has(one))
    if (silent === undefined) return
    if (performance.now() >= end)
      throw new Error(`process ${silent} answers no read while another one is hit`)
    await wait(20)
  }
}

async function strike(
  { database, processes, start }: Scene,
  blow: Blow,
  victim: number,
  forMs: number,
): Promise<VictimProcess | undefined> {
  const { child, end } = processes[victim]!
  if (blow === 'killed') {
    await end('SIGKILL')
    return start()
  }
  if (blow === 'stopped') {
    child.kill('SIGSTOP')
    await wait(forMs)
    child.kill('SIGCONT')
    return undefined
  }
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5`,
  )
  return undefined
}

/** Throws at the first broken promise. */
async function settle(scene: Scene): Promise<WholeLog> {
  const { made, processes, folder } = scene
  await allShow(processes, await assertStored(scene))
  const logs = await Promise.all(processes.map(({ url }) => readWholeLog(url)))
  for (const log of logs) {
    log.assertExtends(made.seen)
    if (log.leaves.join('\n') !== logs[0]!.leaves.join('\n')) throw new Error('two processes show two logs')
  }
  for (const { child } of processes)
    if (child.exitCode !== null) throw new Error(`a process ended by itself with ${child.exitCode}`)
  const { url } = processes[0]!
  const home = ['--home', join(folder, 'home'), '--registry', url]
  await runCountersign([...home, 'trust', 'add', url])
  const audit = await runCountersign([...home, 'log', 'verify'])
  if (audit['ok'] !== true) throw new Error(`log verify: ${JSON.stringify(audit)}`)
  return logs[0]!
}

/** What is committed is published, also after all that happened, and each of them hears of it. */
async function allShow(processes: readonly VictimProcess[], size: number): Promise<void> {
  const end = performance.now() + ANSWER_MS
  for (const [i, { url }] of processes.entries()) {
    for (let shown = 0; (shown = await shownSize(url)) < size;) {
      if (performance.now() >= end) throw new Error(`process ${i} shows ${shown} of ${size} entries`)
      await wait(20)
    }
  }
}

async function shownSize(url: string): Promise<number> {
  const { status, text } = await send(url, 'GET', '/log/checkpoint')
  return status === 200 ? Number(text.split('\n')[1]) : 0
}

/** In the database: the whole log is sound, and holds what was acknowledged at its index, once. Its size. */
async function assertStored({ database, folder, made }: Scene): Promise<number> {
  const store = await openPostgresStore(database.url, { connections: 2 })
  try {
    const { faults } = await checkLog(store, await openKeys(join(folder, 'data', 'keys')))
    if (faults.length > 0) throw new Error(`the log is damaged: ${JSON.stringify(faults)}`)
    const { size } = (await store.readLogState())!
    const logged = new Map<string, number>()
    for (let from = 0; from < size; from += 1024) {
      const leaves = await store.readEntries(from, Math.min(size, from + 1024))
      for (const [i, leaf] of leaves.entries()) {
        const event = parseEvent(leaf)
        if (event.t !== 'publish') continue
        if (logged.has(event.manifest)) throw new Error(`${event.manifest} was logged twice`)
        logged.set(event.manifest, from + i)
      }
    }
    for (const { manifest, index } of made.acknowledged)
      if (logged.get(manifest) !== index) throw new Error(`acknowledged at ${index} and lost: ${manifest}`)
    return size
  } finally {
    await store.close()
  }
}

async function removeScene({ processes, database, folder }: Scene): Promise<void> {
  for (const { child } of processes) child.kill('SIGCONT')
  await Promise.all(processes.map((one) => one.end('SIGKILL')))
  await database.drop()
  await rm(folder, { recursive: true, force: true })
}
