import { setImmediate } from 'node:timers/promises'
import { compareBytes, EMPTY_ROOT, HASH_BYTES, leafHash, nodeHash, utf8Bytes } from 'countersign/core'

/**
 * The standing revocation lines and every row of the Merkle tree over them. A value: changing it gives another one, and
 * a batch that fails leaves the one before it as it was.
 */
export interface RevocationTree {
  /** Sorted bytewise. */
  readonly lines: readonly string[]
  /** Hashes one after another, leaves first; each row has half of the one below, the last has the root. */
  readonly rows: readonly Uint8Array[]
}

/** How many hashes are made before the process may turn to something else: a few milliseconds. */
const HASHES_A_TURN = 2048

export const NO_REVOCATIONS: RevocationTree = { lines: [], rows: [] }

/** The tree over lines that are sorted bytewise, each once. */
export async function openRevocations(sorted: readonly string[]): Promise<RevocationTree> {
  const leaves = new Uint8Array(sorted.length * HASH_BYTES)
  const turn = turns()
  for (const [i, line] of sorted.entries()) {
    leaves.set(leafHash(utf8Bytes(line)), i * HASH_BYTES)
    if (turn.isOver()) await setImmediate()
  }
  return { lines: sorted, rows: await rowsOver(leaves, NO_REVOCATIONS, 0) }
}

/**
 * The tree after these changes: true for a line that stands now, false for one that does not; what is so already
 * changes nothing. Everything to the left of the first change is kept, the rest is hashed again, in turns.
 */
export async function changeRevocations(
  tree: RevocationTree,
  changes: ReadonlyMap<string, boolean>,
): Promise<RevocationTree> {
  const edits = editsOf(tree, changes)
  const [first] = edits
  if (first === undefined) return tree
  const { lines, leaves } = edited(tree, edits)
  return { lines, rows: await rowsOver(leaves, tree, first.at) }
}

/** RFC 6962 root over the lines; the empty list has the root of the empty tree. */
export function revocationTreeRoot({ rows }: RevocationTree): Uint8Array {
  return rows.at(-1)?.slice() ?? EMPTY_ROOT
}

interface Edit {
  /** Of the line in the old list, or of the one it goes before. */
  readonly at: number
  /** Absent when the line at this place goes away. */
  readonly line?: string
}

function editsOf({ lines }: RevocationTree, changes: ReadonlyMap<string, boolean>): Edit[] {
  const changed = [...changes].map(([line, stands]) => ({ line, stands, bytes: utf8Bytes(line) }))
  const edits: Edit[] = []
  for (const { line, stands, bytes } of changed.sort((a, b) => compareBytes(a.bytes, b.bytes))) {
    const at = placeOf(lines, bytes)
    if (stands !== (lines[at] === line)) edits.push(stands ? { at, line } : { at })
  }
  return edits
}

/** Where a line is, or would be. */
function placeOf(lines: readonly string[], wanted: Uint8Array): number {
  let low = 0
  let high = lines.length
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (compareBytes(utf8Bytes(lines[middle] ?? ''), wanted) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** Old lines and their hashes in runs, with the new ones between them. */
function edited({ lines: before, rows }: RevocationTree, edits: readonly Edit[]) {
  const old = rows[0] ?? new Uint8Array(0)
  const added = edits.filter(({ line }) => line !== undefined).length
  const leaves = new Uint8Array((before.length + 2 * added - edits.length) * HASH_BYTES)
  const lines: string[] = []
  let from = 0
  const put = (hashes: Uint8Array): void => leaves.set(hashes, lines.length * HASH_BYTES)
  const keep = (to: number): void => {
    put(old.subarray(from * HASH_BYTES, to * HASH_BYTES))
    for (const line of before.slice(from, to)) lines.push(line)
  }
  for (const { at, line } of edits) {
    keep(at)
    from = line === undefined ? at + 1 : at
    if (line === undefined) continue
    put(leafHash(utf8Bytes(line)))
    lines.push(line)
  }
  keep(before.length)
  return { lines, leaves }
}

/** Every row from the leaves up to the root; the first `same` leaves are those of the tree before. */
async function rowsOver(leaves: Uint8Array, before: RevocationTree, same: number): Promise<Uint8Array[]> {
  if (leaves.length === 0) return []
  const rows = [leaves]
  const turn = turns()
  for (let row = leaves, level = 1, kept = same; row.length > HASH_BYTES; level++) {
    kept = Math.floor(kept / 2)
    const above = new Uint8Array(Math.ceil(row.length / HASH_BYTES / 2) * HASH_BYTES)
    above.set((before.rows[level] ?? above).subarray(0, kept * HASH_BYTES))
    for (let at = kept * HASH_BYTES; at < above.length; at += HASH_BYTES) {
      above.set(parentOf(row, at * 2), at)
      if (turn.isOver()) await setImmediate()
    }
    rows.push(above)
    row = above
  }
  return rows
}

/** A lone last node is carried up as it is. */
function parentOf(row: Uint8Array, at: number): Uint8Array {
  const left = row.subarray(at, at + HASH_BYTES)
  const right = row.subarray(at + HASH_BYTES, at + 2 * HASH_BYTES)
  return right.length === 0 ? left : nodeHash(left, right)
}

function turns(): { isOver: () => boolean } {
  let hashes = 0
  return { isOver: () => ++hashes % HASHES_A_TURN === 0 }
}
