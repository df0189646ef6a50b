import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatRevocationLine, revocationRoot } from 'countersign/core'
import { draftBatch } from '../../src/log/batch.js'
import type { Candidate } from '../../src/log/candidate.js'
import { checkLog } from '../../src/log/fsck.js'
import { readHead, signCheckpoint } from '../../src/log/head.js'
import { openKeys, type RegistryKeys } from '../../src/log/keys.js'
import { openLedger, type Ledger } from '../../src/log/ledger.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'
import { enrol, envelopeOf, startVictim } from '../support/crash.js'
import { fillLog } from '../support/fill.js'
import { plainCandidate, silent } from '../support/ledger.js'
import { bootstrap, callerOf, expectStatus, newKey, send, type Client } from '../support/registry.js'
import { medians, rowOf, subject, type Row, type Subject } from './measure.js'

const SMALL = 1000
const BATCH = 64
const REVOCATIONS = 100_000
const PROOF_MS = 1
const RSS_KIB = 250 * 1024
/** A check that takes longer is one that nobody runs. */
const FSCK_MS_AN_ENTRY = 0.1
/** What nobody who waits for another answer notices. */
const TURN_MS = 20
const PUBLISHES = 200

/** The log layer with a million entries: what grows with the log, and what must not. */
export async function benchLog(entries = 1_000_000): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  const stages: Stage[] = []
  try {
    const big = await openStage(join(folder, 'big'), entries)
    const small = await openStage(join(folder, 'small'), SMALL)
    stages.push(big, small)
    const rows = [
      await benchBatch(big, small),
      ...(await benchProofs(big)),
      await benchFsck(big),
      ...(await benchRevocation(small)),
    ]
    await big.store.close()
    return [...rows, await benchMemory(big)]
  } finally {
    for (const { store } of stages) await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A registry's folder whose log was filled, and the way in for its admin. */
interface Stage {
  readonly folder: string
  readonly keys: RegistryKeys
  readonly store: Store
  readonly client: Client
}

/** A real registry starts and stops; its log is filled behind its back. */
async function openStage(folder: string, entries: number): Promise<Stage> {
  const victim = await startVictim(folder)
  const client = await bootstrap(victim.url, 'admin', victim.password ?? '')
  await victim.end('SIGTERM')
  const keys = await openKeys(join(folder, 'data', 'keys'))
  const store = await openSqliteStore(join(folder, 'data', 'registry.sqlite'))
  await fillLog(store, keys, entries)
  return { folder, keys, store, client }
}

let serial = 0

/** One transaction with 64 entries and their snapshot, checkpoint signed, synced to disk. */
async function benchBatch(big: Stage, small: Stage): Promise<Row> {
  const [value = 0, against = 0] = await medians([await batches(big), await batches(small)], 150, 30)
  return rowOf({ bench: 'log', row: 'batch-64', unit: 'ms', target: 2.5 }, { value, against })
}

async function batches({ store, keys }: Stage): Promise<Subject> {
  let head = await readHead(store, keys)
  return subject(
    () => Array.from({ length: BATCH }, () => plainCandidate(++serial)),
    async (candidates) => {
      const { next } = await commit(store, keys, head, candidates)
      if (next?.size !== head.size + BATCH + 1) throw new Error('the batch was not logged as a whole')
      head = next
    },
  )
}

function commit(
  store: Store,
  keys: RegistryKeys,
  head: Awaited<ReturnType<typeof readHead>>,
  candidates: Candidate[],
) {
  const sign = (size: number, root: Uint8Array): string => signCheckpoint(keys, size, root)
  return store.commitBatch((tx) => draftBatch(tx, head, candidates, sign))
}

/** Proofs of anything in it, by the ledger, from tiles that were read before. */
async function benchProofs({ folder, store, keys }: Stage): Promise<Row[]> {
  const rollbackFile = join(folder, 'state', 'registry.rollback')
  const ledger = await openLedger({ store, keys, rollbackFile, log: silent })
  const size = ledger.publishedSize()
  try {
    const [inclusion = 0, consistency = 0] = await medians(proofs(ledger, size), 1000, 200)
    const row = (name: string, value: number): Row =>
      rowOf({ bench: 'log', row: name, unit: 'ms', target: 1 }, { value, against: PROOF_MS })
    return [row('inclusion-proof', inclusion), row('consistency-proof', consistency)]
  } finally {
    await ledger.close()
  }
}

function proofs(ledger: Ledger, size: number): Subject[] {
  const anywhere = (): number => 1 + Math.floor(Math.random() * (size - 1))
  return [
    subject(anywhere, (index) => ledger.inclusionProof(index, size)),
    subject(anywhere, (from) => ledger.consistencyProof(from, size)),
  ]
}

/** All of it read back and made again; it must be sound. */
async function benchFsck({ store, keys }: Stage): Promise<Row> {
  const start = performance.now()
  const { faults, logs } = await checkLog(store, keys)
  const value = performance.now() - start
  if (faults.length > 0) throw new Error(`the log is not sound: ${JSON.stringify(faults.slice(0, 3))}`)
  const against = FSCK_MS_AN_ENTRY * logs.reduce((size, log) => size + log.size, 0)
  return rowOf({ bench: 'log', row: 'fsck', unit: 'ms', target: 1 }, { value, against })
}

/**
 * One revocation where a hundred thousand lines stand: against reading and hashing the whole list, and the longest time
 * that nobody else got an answer meanwhile (the median of all runs: other processes take turns, too).
 */
async function benchRevocation({ store, keys }: Stage): Promise<Row[]> {
  let head = await readHead(store, keys)
  const lines = Array.from({ length: REVOCATIONS }, () => revocationOf(++serial))
  const all = revocations(lines)
  head = (await commit(store, keys, head, [all])).next ?? head
  const longest: number[] = []
  const one = subject(
    () => revocationOf(++serial),
    async (line) => {
      const turns = watchTurns()
      head = (await commit(store, keys, head, [revocations([line])])).next ?? head
      longest.push(turns.end())
    },
  )
  const whole = subject(
    () => undefined,
    async () => revocationRoot(await store.readRevocations()),
  )
  const [value = 0, against = 0] = await medians([one, whole], 20, 3)
  if (head.revocations.lines.length < REVOCATIONS) throw new Error('the lines do not stand')
  return [
    rowOf({ bench: 'log', row: 'revocation-100k', unit: 'ms', target: 1 }, { value, against }),
    rowOf(
      { bench: 'log', row: 'revocation-100k-longest-turn', unit: 'ms', target: 1 },
      { value: middle(longest), against: TURN_MS },
    ),
  ]
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** Spread over the whole list by their digests. */
function revocationOf(n: number): string {
  const digest = `sha256:${((n * 2654435761) % 2 ** 32).toString(16).padStart(8, '0')}${String(n).padStart(56, '0')}`
  return formatRevocationLine({ kind: 'manifest', digest: digest as `sha256:${string}` })
}

function revocations(lines: readonly string[]): Candidate {
  return plainCandidate(++serial, {
    apply: async (tx, index) => {
      for (const line of lines) await tx.putRevocation(line, index)
    },
  })
}

/** The longest time between two turns of the event loop until `end`, in ms. */
function watchTurns(): { end: () => number } {
  let last = performance.now()
  let longest = 0
  let isOver = false
  const look = (): void => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  const turn = (): void => {
    look()
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  return {
    end: () => {
      isOver = true
      look()
      return longest
    },
  }
}

/** A whole registry over this log, after reads all over it and publishes from many sides: its highest resident size. */
async function benchMemory({ folder, client }: Stage): Promise<Row> {
  const victim = await startVictim(folder)
  try {
    await load(victim.url, client)
    const value = peakKib(victim.child.pid ?? 0)
    return rowOf({ bench: 'log', row: 'memory', unit: 'KiB', target: 1 }, { value, against: RSS_KIB })
  } finally {
    await victim.end('SIGTERM')
  }
}

async function load(url: string, client: Client): Promise<void> {
  const key = newKey()
  const identity = await enrol(url, client, key)
  const caller = callerOf(url, client)
  const size = Number((await send(url, 'GET', '/log/checkpoint')).text.split('\n')[1])
  for (let done = 0; done < PUBLISHES; done += BATCH) {
    const envelopes = Array.from({ length: BATCH }, (_, i) => envelopeOf(identity, done + i, key).envelope)
    const posted = envelopes.map((envelope) => caller.post('/v1/manifests', envelope))
    const read = envelopes.map(() => {
      const from = 1 + Math.floor(Math.random() * (size - 1))
      return send(url, 'GET', `/v1/consistency?from=${from}&to=${size}`)
    })
    for (const reply of await Promise.all(posted)) expectStatus(201, reply)
    for (const reply of await Promise.all(read)) expectStatus(200, reply)
  }
}

/** Highest resident set so far where the system keeps it, else the present one. */
function peakKib(pid: number): number {
  const status = `/proc/${pid}/status`
  if (!existsSync(status))
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }))
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1])
}
