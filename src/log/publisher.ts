import { formatNote, formatStatus, inclusionProofAsync, parseNote, STATUS_FORMAT } from 'countersign/core'
import { StoreError } from '../storage/errors.js'
import type { Store } from '../storage/store.js'
import { LedgerFatal } from './errors.js'
import type { LogHead } from './head.js'
import type { RegistryKeys } from './keys.js'
import { writeRollback } from './rollback.js'
import { storedHashes } from './tiles.js'

/** What hosts can see, as finished bytes and texts. */
export interface Published {
  readonly size: number
  /** The checkpoint's note with the timestamper's cosignature. */
  readonly note: string
  readonly status: Uint8Array
  /** Trust root notes by version. */
  readonly rootNotes: ReadonlyMap<number, string>
}

export interface PublisherOptions {
  readonly store: Store
  readonly keys: RegistryKeys
  readonly rollbackFile: string
  /** POSIX milliseconds. */
  readonly now: () => number
}

export interface Publisher {
  /** Undefined until the first publication. */
  current(): Published | undefined
  /** From a committed head to what hosts see. Throws LedgerFatal when the log must stop. */
  publish(head: LogHead): Promise<void>
}

/** Publishes committed heads: remembered outside the database, cosigned, proved, the pointer moved, then shown. */
export function openPublisher({ store, keys, rollbackFile, now }: PublisherOptions): Publisher {
  let current: Published | undefined
  let remembered: string | undefined
  const publish = async (head: LogHead): Promise<void> => {
    if (remembered !== head.note) await remember(rollbackFile, head.note)
    remembered = head.note
    const note = cosign(head.note, keys, Math.floor(now() / 1000))
    const status = await makeStatus(store, keys.identity, head, note)
    const rootNotes = await readRootNotes(store, head, current)
    if (!(await store.publishCheckpoint(head.size, note))) {
      throw new LedgerFatal('state-invalid', 'a newer checkpoint than the newest is published')
    }
    current = { size: head.size, note, status, rootNotes }
  }
  return { current: () => current, publish }
}

async function remember(file: string, note: string): Promise<void> {
  await writeRollback(file, note).catch((cause: unknown) => {
    throw new LedgerFatal('rollback-file-unusable', `${file} cannot be written`, { file }, { cause })
  })
}

/** The timestamper says when this was the newest tree. It is the registry's own voice, never a witness. */
function cosign(note: string, { timestamper }: RegistryKeys, seconds: number): string {
  const { text, signatures } = parseNote(note)
  return formatNote(text, [...signatures.map(({ line }) => line), timestamper.cosign(text, seconds)])
}

async function makeStatus(store: Store, registry: string, head: LogHead, note: string): Promise<Uint8Array> {
  const { size, snapshot } = head
  if (snapshot === undefined) throw new StoreError('not-initialised', 'the log has no snapshot yet')
  const read = storedHashes((level, n) => store.readTile(level, n))
  const proof = await inclusionProofAsync(size - 1, size, read)
  return formatStatus({
    format: STATUS_FORMAT,
    registry,
    checkpoint: note,
    snapshot: { event: snapshot.leaf, proof },
  })
}

async function readRootNotes(store: Store, head: LogHead, before: Published | undefined) {
  const known = before?.rootNotes
  if (known !== undefined && known.size === head.snapshot?.event.rootVersion) return known
  return new Map((await store.readRootNotes()).map(({ version, note }) => [version, note]))
}
