import {
  encodeBase64,
  formatNote,
  formatTrustRootText,
  formatVerifierKey,
  noteSigner,
  parseTrustRoot,
  randomBytes,
  rootNoteDigest,
  signerFromSeed,
  type LogEvent,
  type TrustedLog,
} from 'countersign/core'
import { draftBatch } from '../../src/log/batch.js'
import type { Candidate } from '../../src/log/candidate.js'
import { emptyState, readHead, signCheckpoint } from '../../src/log/head.js'
import type { RegistryKeys } from '../../src/log/keys.js'
import type { LogState, Store } from '../../src/storage/store.js'

/**
 * Ends the active log and starts its successor in one transaction, as recovery does, without its files and questions:
 * the next trust root freezes the log at its end; the successor begins with `continue`, the root, and a snapshot.
 */
export async function succeedLog(store: Store, keys: RegistryKeys): Promise<RegistryKeys> {
  const state = (await store.readLogState())!
  const number = (await store.readFrozenLogs()).length + 2
  const origin = `${keys.identity}/log-${number}`
  const next = { ...keys, origin, log: noteSigner(origin, signerFromSeed(randomBytes(32))) }
  const note = await nextRoot(store, keys, next, state)
  const { size, root } = state
  const candidates = [
    plain({ v: 1, t: 'continue', origin: state.origin, size, root: encodeBase64(root) }),
    plain({ v: 1, t: 'root', version: number, digest: rootNoteDigest(note) }, (tx) =>
      tx.putRootNote({ version: number, note }),
    ),
  ]
  await store.commitBatch(async (tx) => {
    await tx.succeed(emptyState(next, state.base + size))
    const head = await readHead(tx, next)
    await draftBatch(tx, head, candidates, (at, tree) => signCheckpoint(next, at, tree))
  })
  return next
}

function plain(event: LogEvent, apply: Candidate['apply'] = async () => undefined): Candidate {
  return { authorise: async () => undefined, event: () => event, apply }
}

/** The newest root's next version: the same, but for its logs. */
async function nextRoot(store: Store, keys: RegistryKeys, next: RegistryKeys, state: LogState) {
  const newest = parseTrustRoot((await store.readRootNotes()).at(-1)!.note)
  const { expires, freshness, timestamper, policy, rootKeys, threshold } = newest
  const final = { size: state.size, root: encodeBase64(state.root) }
  const logs: TrustedLog[] = newest.logs.map(({ origin, vkey, ...log }) =>
    log.status === 'frozen' ? { origin, vkey, ...log } : { origin, vkey, status: 'frozen', final },
  )
  const { name, type, publicKey } = next.log.key
  logs.push({ origin: next.origin, vkey: formatVerifierKey(name, type, publicKey), status: 'active' })
  const body = { expires, freshness, logs, timestamper, policy, rootKeys, threshold }
  const text = formatTrustRootText(keys.identity, newest.version + 1, body)
  if (keys.root === undefined) throw new Error('the root key is needed here')
  return formatNote(text, [keys.root.sign(text)])
}
