import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  activeLog,
  canonicalize,
  encodeBase64,
  formatTime,
  noteSigner,
  openTrustRoot,
  toHex,
  type NoteSigner,
  type TrustedLog,
  type TrustRoot,
  type VerifierKey,
} from 'countersign/core'
import { exists, newKey, readKey, successorOrigin, writeKey } from '../../log/keys.js'
import { bodyOf, refusing, ROOT_SECONDS, vkeyOf } from '../../log/root.js'
import { syncFolder } from '../../storage/sync-folder.js'
import { OperatorError } from '../errors.js'
import { draftOf } from '../root/draft.js'
import type { Ending } from './ending.js'
import type { RecoveryJournal, RecoveryPlan } from './journal.js'
import type { RecoveryPlaces } from './places.js'

/** The successor's key: where the operator keeps log keys, in the journal until then, or in its place already. */
export async function openSuccessorKey(
  origin: string,
  places: RecoveryPlaces,
  journal: RecoveryJournal,
): Promise<NoteSigner> {
  const file = places.logKeyFile ?? journal.keyFile
  if (!(await exists(file))) await createKey(file, origin)
  const { key, signer } = await readKey(file)
  if (key.name !== origin) {
    const message = `${file} holds the key of ${key.name}: COUNTERSIGN_LOG_KEY_FILE names a new file for ${origin}`
    throw new OperatorError('file-exists', message)
  }
  return noteSigner(key.name, signer)
}

/**
 * The successor's key once the database has its log: no other one will do, and none is made. Throws OperatorError
 * `recovery-mismatch` when it is not in this file.
 */
export async function readSuccessorKey(file: string, named: VerifierKey): Promise<NoteSigner> {
  const kept = (await exists(file)) ? await readKey(file) : undefined
  if (kept !== undefined && vkeyOf(kept.key) === vkeyOf(named)) return noteSigner(named.name, kept.signer)
  const message =
    `the key of ${named.name} is not in ${file}: set COUNTERSIGN_LOG_KEY_FILE, or leave it out, as it was when this ` +
    'recovery began'
  throw new OperatorError('recovery-mismatch', message)
}

/** Under its name only when it is whole. */
async function createKey(file: string, origin: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.new`
  await rm(draft, { force: true })
  await writeKey(draft, newKey(origin))
  await rename(draft, file)
  await syncFolder(dirname(file))
}

/** Decided by the first run. Throws OperatorError `recovery-mismatch` when the database has moved on since. */
export async function settlePlan(
  { state, root }: Ending,
  successor: (origin: string) => Promise<NoteSigner>,
  journal: RecoveryJournal,
  now: number,
): Promise<RecoveryPlan> {
  const frozen = { origin: state.origin, size: state.size, root: encodeBase64(state.root) }
  const kept = await journal.readPlan()
  if (kept !== undefined) {
    const isSame = kept.identity === state.identity && canonicalize(kept.frozen) === canonicalize(frozen)
    if (isSame) return kept
    const message = `the log has moved on since this recovery began: move ${journal.folder} away and begin anew`
    throw new OperatorError('recovery-mismatch', message)
  }
  const origin = successorOrigin(state.origin)
  const rootText = successorRootText(root, frozen, await successor(origin), now)
  const plan = { identity: state.identity, frozen, origin, rootText }
  await journal.writePlan(plan)
  return plan
}

/** Version N + 1: the log frozen where it ends, its successor active, good for another year. */
function successorRootText(
  root: TrustRoot,
  { origin, ...final }: RecoveryPlan['frozen'],
  key: NoteSigner,
  now: number,
): string {
  const freeze = (log: TrustedLog): TrustedLog =>
    log.origin === origin ? { origin, vkey: log.vkey, status: 'frozen', final } : log
  const active = { origin: key.name, vkey: vkeyOf(key.key), status: 'active' } as const
  const body = {
    ...bodyOf(root),
    expires: formatTime(now / 1000 + ROOT_SECONDS),
    logs: [...root.logs.map(freeze), active],
  }
  return draftOf({ identity: root.identity, version: root.version + 1, body }).text
}

/**
 * Verifies the signed root of a succession: the next version, signed by both sides, that freezes this very tree and
 * names this very key. What else it changes is its signers' business. Throws LedgerRefusal `root-invalid`, or
 * OperatorError `recovery-mismatch`.
 */
export function openSuccessorRoot(
  note: string,
  ending: Ending,
  plan: RecoveryPlan,
  key: NoteSigner,
): TrustRoot {
  const root = refusing(() => openTrustRoot(note, ending.root))
  const { origin, size, root: hash } = plan.frozen
  const old = root.logs.find((log) => log.origin === origin)
  const isFrozen = old?.status === 'frozen' && old.final.size === size && old.final.root === hash
  const active = activeLog(root)
  const isNamed = active.origin === plan.origin && toHex(active.key.publicKey) === toHex(key.key.publicKey)
  const isSucceeded =
    root.logs.length === ending.root.logs.length + 1 && root.timestamper === ending.root.timestamper
  if (isFrozen && isNamed && isSucceeded) return root
  const message = `this root does not freeze ${origin} at ${size} entries and name ${plan.origin} after it`
  throw new OperatorError('recovery-mismatch', message)
}
