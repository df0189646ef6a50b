import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseEvent, type Signer } from 'countersign/core'
import { openKeys } from '../../src/log/keys.js'
import { openLedger } from '../../src/log/ledger.js'
import { openOutside } from '../../src/net/open-outside.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import { enrol, envelopeOf, startVictim, type VictimProcess } from './crash.js'
import { inspectRemains, type Remains } from './crash-inspect.js'
import { loadAndKill, type PromisesMade } from './crash-load.js'
import { startWitnessPair, type WitnessPair } from './crash-witnesses.js'
import { PATIENT_MS, silent } from './ledger.js'
import { bootstrap, callerOf, expectStatus, newKey, send, type Client } from './registry.js'
import { readWholeLog, type WholeLog } from './whole-log.js'

/** One life of the registry: killed so many answers and so many milliseconds later; a witness as well, or not. */
export interface Life {
  readonly answers: number
  readonly thenMs: number
  readonly killsWitness?: boolean
}

/** A folder with a registry that is killed and started again, and everything it ever promised. */
export interface CrashStage extends PromisesMade {
  /** Start, publish from several sides, SIGKILL; then everything it left is held against every promise. */
  live(life: Life): Promise<Remains>
  /** Keeps a copy of the database as it is now. */
  backup(): Promise<void>
  /** The copy in place of the newest database: neither a ledger nor a process signs on top of it. */
  assertBackupRefused(): Promise<void>
  /**
   * Starts once more, and a second process, which has to end; waits until all is published, and reads the whole log back
   * over the wire.
   */
  settle(): Promise<WholeLog>
  remove(): Promise<void>
}

/** What all steps share. */
interface Scene {
  readonly folder: string
  readonly made: PromisesMade
  readonly witnesses?: WitnessPair
  start(folder?: string): Promise<VictimProcess>
}

export async function openCrashStage(options: { readonly witnesses: boolean }): Promise<CrashStage> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-crash-'))
  const scene = await openScene(folder, options)
  const { made, witnesses } = scene
  const key = newKey()
  const { client, identity } = await firstLife(scene, key)
  const checked = { acknowledged: 0, seen: 0 }
  let serial = 0
  return {
    ...made,
    live: async (life) => {
      const victim = await scene.start()
      const disturbed = life.killsWitness === true ? witnesses?.killOne() : undefined
      await loadAndKill(victim, client, () => envelopeOf(identity, serial++, key), made, life)
      await disturbed
      return inspectRemains(folder, made, checked, await witnesses?.checkpoints())
    },
    backup: () => copyData(folder, join(folder, 'backup')),
    assertBackupRefused: () => assertBackupRefused(scene),
    settle: () => settle(scene, client),
    remove: async () => {
      await witnesses?.end()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function openScene(folder: string, options: { readonly witnesses: boolean }): Promise<Scene> {
  const made: PromisesMade = { acknowledged: [], unanswered: [], seen: [] }
  if (!options.witnesses) return { folder, made, start: (at = folder) => startVictim(at) }
  const witnesses = await startWitnessPair(folder)
  const settings = { COUNTERSIGN_WITNESS_POLICY_FILE: witnesses.policyFile }
  return { folder, made, witnesses, start: (at = folder) => startVictim(at, [], settings) }
}

/** The first start: the password is traded for a client, and the namespace enrolled. */
async function firstLife(scene: Scene, key: Signer): Promise<{ client: Client; identity: string }> {
  const victim = await scene.start()
  try {
    const client = await bootstrap(victim.url, 'admin', victim.password ?? '')
    return { client, identity: await enrol(victim.url, client, key) }
  } finally {
    await victim.end('SIGTERM')
  }
}

async function starts(scene: Scene, folder: string): Promise<boolean> {
  const second = await scene.start(folder).catch(() => undefined)
  await second?.end('SIGKILL')
  return second !== undefined
}

/** Of a registry that does not run: the database with what its journal still holds, and the keys. */
async function copyData(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true })
  await mkdir(to, { recursive: true })
  await cp(join(from, 'data'), join(to, 'data'), { recursive: true })
}

async function assertBackupRefused(scene: Scene): Promise<void> {
  const { folder, witnesses } = scene
  const backup = join(folder, 'backup')
  const before = await noteOf(backup)
  const newest = join(folder, 'state', 'registry.rollback')
  if ((await codeOfStart(backup, newest)) !== 'rollback') throw new Error('the rollback file was not asked')
  const unknown = await codeOfStart(backup, join(backup, 'state', 'registry.rollback'))
  if (witnesses !== undefined && unknown !== 'rollback')
    throw new Error(`the witnesses were not asked: ${unknown}`)
  await cp(join(folder, 'state'), join(backup, 'state'), { recursive: true })
  if (await starts(scene, backup)) throw new Error('a process signs on top of an old database')
  if ((await noteOf(backup)) !== before) throw new Error('something was signed on top of an old database')
}

/** How a ledger over this folder is refused; undefined when it opens, which it must not where anybody could know. */
async function codeOfStart(folder: string, rollbackFile: string): Promise<string | undefined> {
  const copy = `${folder}-try`
  await copyData(folder, copy)
  const keys = await openKeys(join(copy, 'data', 'keys'))
  const store = await openSqliteStore(join(copy, 'data', 'registry.sqlite'))
  try {
    const ledger = await openLedger({
      ...{ store, keys, rollbackFile, log: silent, outside: openOutside(), witnessTimeoutMs: PATIENT_MS },
    })
    await ledger.close()
    return undefined
  } catch (error) {
    return String((error as { code?: string }).code)
  } finally {
    await store.close()
    await rm(copy, { recursive: true, force: true })
  }
}

async function noteOf(folder: string): Promise<string | undefined> {
  const store = await openSqliteStore(join(folder, 'data', 'registry.sqlite'))
  try {
    return (await store.readLogState())?.note
  } finally {
    await store.close()
  }
}

/** Throws at the first broken promise. */
async function settle(scene: Scene, client: Client): Promise<WholeLog> {
  const { made } = scene
  const victim = await scene.start()
  try {
    if (await starts(scene, scene.folder)) throw new Error('two processes have one database')
    const end = 1 + Math.max(-1, ...made.acknowledged.map(({ index }) => index))
    while ((await publishedSize(victim.url)) < end) await wait(50)
    const log = await readWholeLog(victim.url)
    log.assertExtends(made.seen)
    const logged = publishedAt(log)
    for (const { manifest, index } of made.acknowledged)
      if (logged.get(manifest) !== index) throw new Error(`acknowledged at ${index} and lost: ${manifest}`)
    const caller = callerOf(victim.url, client)
    for (const { manifest, index } of made.acknowledged.slice(-20)) {
      const kept = expectStatus(200, await caller.get(`/v1/review/${manifest}`)).body
      if (kept.index !== index)
        throw new Error(`${manifest} was logged at ${index}, the registry says ${kept.index}`)
    }
    return log
  } finally {
    await victim.end('SIGTERM')
  }
}

async function publishedSize(url: string): Promise<number> {
  return Number((await send(url, 'GET', '/log/checkpoint')).text.split('\n')[1])
}

/** Where each manifest was logged; a manifest that was logged twice is a broken promise of its own. */
function publishedAt({ leaves }: WholeLog): Map<string, number> {
  const logged = new Map<string, number>()
  for (const [index, leaf] of leaves.entries()) {
    const event = parseEvent(leaf)
    if (event.t !== 'publish') continue
    if (logged.has(event.manifest)) throw new Error(`${event.manifest} was logged twice`)
    logged.set(event.manifest, index)
  }
  return logged
}
