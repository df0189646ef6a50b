import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import {
  cosigner,
  equalBytes,
  formatNote,
  formatVerifierKey,
  parseNote,
  signerFromSeed,
  type Cosignature,
  type TrustRootBody,
} from 'countersign/core'
import { openLedger, type Candidate, type Ledger, type LedgerOptions } from '../../src/log/ledger.js'
import { openKeys, type RegistryKeys } from '../../src/log/keys.js'
import { LedgerFatal } from '../../src/log/errors.js'
import { bodyOf, signRoot } from '../../src/log/root.js'
import type { CommittedTree, Witnessed, Witnesses } from '../../src/log/witness/witnesses.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'

/** A real ledger over a real database in a folder of its own. */
export interface LedgerFixture {
  readonly folder: string
  readonly database: string
  readonly rollbackFile: string
  readonly keys: RegistryKeys
  readonly store: Store
  readonly ledger: Ledger
  /** Closes ledger and store; the files stay for another start. */
  stop(): Promise<void>
  /** Stops and removes everything. */
  remove(): Promise<void>
}

export type LedgerOverrides = Partial<Omit<LedgerOptions, 'store' | 'keys'>> & {
  /** Puts something between the ledger and the database. */
  readonly wrap?: (store: Store) => Store
}

export const silent = pino({ level: 'silent' })

/** Nobody is told that the quorum is late only because the machine is. */
export const PATIENT_MS = 30_000

/** Starts a ledger in `folder`, or in a fresh one; a folder that was used before is opened again. */
export async function startLedger(
  folder = mkdtempSync(join(tmpdir(), 'countersign-ledger-')),
  { wrap = (store) => store, ...overrides }: LedgerOverrides = {},
): Promise<LedgerFixture> {
  const keys = await openKeys(join(folder, 'data', 'keys'))
  const database = join(folder, 'data', 'registry.db')
  const rollbackFile = overrides.rollbackFile ?? join(folder, 'state', `${keys.identity}.rollback`)
  const store = await openSqliteStore(database)
  try {
    const ledger = await openLedger({
      ...{ log: silent, publishWaitMs: PATIENT_MS, witnessTimeoutMs: PATIENT_MS, ...overrides },
      ...{ store: wrap(store), keys, rollbackFile },
    })
    const stop = async (): Promise<void> => {
      await ledger.close()
      await store.close()
    }
    const remove = async (): Promise<void> => {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    }
    return { folder, database, rollbackFile, keys, store, ledger, stop, remove }
  } catch (cause) {
    await store.close()
    throw cause
  }
}

/** Something to log that needs no keys and no manifests: a deprecation of server number `n`. */
export function plainCandidate(n: number, change: Partial<Candidate> = {}): Candidate {
  const name = `com.example/server-${n}`
  return {
    authorise: async () => undefined,
    event: () => ({
      ...{ v: 1, t: 'deprecate', target: 'server', name },
      ...{ reason: 'a test', deciders: ['holder'] },
    }),
    apply: async (tx, index) => tx.noteAbout(`server:${name}`, index),
    ...change,
  }
}

/** The next version of a ledger's trust root, signed by its own root key. */
export function nextRoot(
  { ledger, keys }: Pick<LedgerFixture, 'ledger' | 'keys'>,
  change: Partial<TrustRootBody>,
): string {
  const root = ledger.trustRoot()
  if (keys.root === undefined) throw new Error('these keys have no root key')
  const body = { ...bodyOf(root), ...change }
  return signRoot({ identity: root.identity, version: root.version + 1, body }, [keys.root])
}

/** One witness behind the port, whose answers the test decides: no network, no time. */
export interface ScriptedWitness extends Witnesses {
  /** A policy that asks for it. */
  readonly policy: string
  /** Every tree it was asked to cosign, in order. */
  readonly asked: CommittedTree[]
  /** How it answers from now on; `held` answers when that is over. */
  mode: 'cosigns' | 'down' | 'held' | 'forked'
  /** Answers whoever is held, and all that follow. */
  release(): void
}

export function scriptWitness(seed = 77): ScriptedWitness {
  const signer = cosigner(`witness-${seed}.example`, signerFromSeed(new Uint8Array(32).fill(seed)))
  const { key } = signer
  const signed = new Map<number, Uint8Array>()
  let held: (() => void)[] = []
  let seconds = 1_900_000_000
  const cosign = ({ size, root, note }: CommittedTree): Witnessed => {
    // What every witness is for: of each size it signs one tree.
    const before = signed.get(size)
    if (before !== undefined && !equalBytes(before, root))
      throw new Error(`asked for two trees of size ${size}`)
    signed.set(size, root)
    const cosignature: Cosignature = { key, timestamp: seconds++ }
    const line = signer.cosign(parseNote(note).text, cosignature.timestamp)
    return { lines: [line], cosignatures: [cosignature], isQuorum: true, failures: [] }
  }
  const witness: ScriptedWitness = {
    policy: `witness w ${formatVerifierKey(key.name, 4, key.publicKey)}\nquorum w\n`,
    asked: [],
    mode: 'cosigns',
    release: () => {
      witness.mode = 'cosigns'
      for (const answer of held) answer()
      held = []
    },
    cosign: async (tree, policy) => {
      if (policy.isNone) return { lines: [], cosignatures: [], isQuorum: true, failures: [] }
      witness.asked.push(tree)
      if (witness.mode === 'held') await new Promise<void>((resolve) => held.push(resolve))
      if (witness.mode === 'forked') throw new LedgerFatal('rollback', 'it has seen another tree')
      if (witness.mode === 'cosigns') return cosign(tree)
      return {
        lines: [],
        cosignatures: [],
        isQuorum: false,
        failures: [{ witness: 'w', code: 'unreachable' }],
      }
    },
  }
  return witness
}

/** The same note with this line, too. */
export function withLine(note: string, line: string): string {
  const { text, signatures } = parseNote(note)
  return formatNote(text, [...signatures.map((one) => one.line), line])
}
