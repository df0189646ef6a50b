import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  encodeBase64,
  openCheckpoint,
  parseEvent,
  parseNote,
  parseTrustRoot,
  quorumTime,
  type Checkpoint,
  type PinnedLog,
} from 'countersign/core'
import { checkLog } from '../../src/log/fsck.js'
import { openKeys, type RegistryKeys } from '../../src/log/keys.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { LogState, Store } from '../../src/storage/store.js'
import type { PromisesMade } from './crash-load.js'

/** What a killed registry left on disk, compared with everything it ever promised. */
export interface Remains {
  readonly size: number
  readonly publishedSize: number
}

/** Promises that were held against the log already. */
export interface Checked {
  acknowledged: number
  seen: number
}

/**
 * Opens the database of a registry that does not run: the whole log is sound; what was acknowledged is there, at its
 * index, and once; what hosts and witnesses saw is in it; nothing is published without its quorum; the rollback file
 * knows a checkpoint of it that covers all that was published. Throws at the first broken promise.
 */
export async function inspectRemains(
  folder: string,
  made: PromisesMade,
  checked: Checked,
  witnessed?: readonly Checkpoint[],
): Promise<Remains> {
  const keys = await openKeys(join(folder, 'data', 'keys'))
  const store = await openSqliteStore(join(folder, 'data', 'registry.sqlite'))
  try {
    const { faults } = await checkLog(store, keys)
    if (faults.length > 0) throw new Error(`the log is damaged: ${JSON.stringify(faults)}`)
    const state = (await store.readLogState())!
    await assertAcknowledged(store, state, made, checked)
    await assertSeen(store, state, made, checked)
    await assertPublished(store, state, keys, witnessed ?? [])
    await assertRemembered(store, state, keys, join(folder, 'state', 'registry.rollback'))
    for (const checkpoint of witnessed ?? []) await assertCommitted(store, state, checkpoint)
    return { size: state.size, publishedSize: state.publishedSize }
  } finally {
    await store.close()
  }
}

async function assertAcknowledged(
  store: Store,
  { size, publishedSize }: LogState,
  { acknowledged }: PromisesMade,
  checked: Checked,
): Promise<void> {
  const indexes = new Set(acknowledged.map(({ index }) => index))
  if (indexes.size !== acknowledged.length) throw new Error('an index was given twice')
  for (const { manifest, index, published } of acknowledged.slice(checked.acknowledged)) {
    const [leaf] = await store.readEntries(index, index + 1)
    const event = leaf === undefined ? undefined : parseEvent(leaf)
    if (event?.t !== 'publish' || event.manifest !== manifest || index >= (published ? publishedSize : size))
      throw new Error(`acknowledged at ${index} and lost: ${manifest}`)
  }
  checked.acknowledged = acknowledged.length
}

async function assertSeen(store: Store, state: LogState, { seen }: PromisesMade, checked: Checked) {
  for (const { size, root } of seen.slice(checked.seen)) {
    if (size > state.publishedSize) throw new Error(`size ${size} was shown and is not published any more`)
    await assertRoot(store, size, root)
  }
  checked.seen = seen.length
}

/** Nothing that anybody else signed for is missing. */
async function assertCommitted(store: Store, state: LogState, { size, root }: Checkpoint): Promise<void> {
  if (size > state.size) throw new Error(`a witness cosigned ${size} of ${state.size} committed entries`)
  await assertRoot(store, size, encodeBase64(root))
}

async function assertRoot(store: Store, size: number, root: string): Promise<void> {
  const note = await store.readCheckpoint(size)
  if (note === undefined || rootOf(note) !== root) throw new Error(`size ${size} was shown with another root`)
}

function rootOf(note: string): string {
  return parseNote(note).text.split('\n')[2] ?? ''
}

/** The published note carries the quorum of the root in force, and every witness knows a tree that covers it. */
async function assertPublished(
  store: Store,
  state: LogState,
  keys: RegistryKeys,
  witnessed: readonly Checkpoint[],
): Promise<void> {
  const { quorum } = parseTrustRoot((await store.readRootNotes()).at(-1)!.note)
  if (quorum.witnesses.length !== witnessed.length)
    throw new Error(`${witnessed.length} of ${quorum.witnesses.length} witnesses have cosigned`)
  const cosigners = [keys.timestamper.key, ...quorum.witnesses.map(({ key }) => key)]
  const { checkpoint, cosignatures } = openCheckpoint(state.publishedNote, pinned(keys), cosigners)
  const { size } = checkpoint
  if (size !== state.publishedSize) throw new Error('another size is published than the note says')
  const isMet = witnessed.length === 0 || quorumTime(quorum, cosignatures) !== undefined
  if (!isMet || witnessed.some((one) => one.size < size))
    throw new Error(`${size} was published without its quorum`)
}

/** Committed, remembered outside, published: in this order. */
async function assertRemembered(store: Store, state: LogState, keys: RegistryKeys, file: string) {
  const { checkpoint } = openCheckpoint(await readFile(file, 'utf8'), pinned(keys))
  const { size, root } = checkpoint
  if (size > state.size) throw new Error(`the rollback file is ahead: ${size} of ${state.size} entries`)
  if (size < state.publishedSize) throw new Error(`the rollback file is behind what was published: ${size}`)
  await assertRoot(store, size, encodeBase64(root))
}

function pinned(keys: RegistryKeys): PinnedLog {
  return { origin: keys.origin, key: keys.log.key }
}
