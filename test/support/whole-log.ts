import {
  appendLeaf,
  decodeBase64,
  emptyRange,
  encodeBase64,
  equalBytes,
  formatEntryBundle,
  formatTilePath,
  leafHash,
  parseEntryBundle,
  parseEvent,
  parseHashTile,
  rangeRoot,
  tilesForSize,
  utf8Bytes,
} from 'countersign/core'

/** A checkpoint somebody was shown: size and root in base64. */
export interface Seen {
  readonly size: number
  readonly root: string
}

/** A registry's log, read from outside as any monitor would. */
export interface WholeLog {
  readonly size: number
  readonly leaves: readonly string[]
  /** Throws unless every checkpoint that was ever shown is a prefix of this log. */
  assertExtends(seen: readonly Seen[]): void
}

/**
 * Fetches checkpoint, entries and tiles, rebuilds the tree and compares all of it; each batch must end with a snapshot
 * of its own place. Signatures are not its subject. Throws at the first difference.
 */
export async function readWholeLog(url: string): Promise<WholeLog> {
  const [, sizeText = '', rootText = ''] = (await fetchText(`${url}/log/checkpoint`)).split('\n')
  const size = Number(sizeText)
  const leaves = await readLeaves(url, size)
  const roots: string[] = []
  const nodes = new Map<string, Uint8Array>()
  let range = emptyRange()
  for (const leaf of leaves) {
    range = appendLeaf(range, leafHash(leaf), (level, n, hash) => nodes.set(`${level}/${n}`, hash))
    roots.push(encodeBase64(rangeRoot(range)))
  }
  if (!equalBytes(rangeRoot(range), decodeBase64(rootText))) throw new Error('the entries have another root')
  await compareTiles(url, size, nodes)
  const texts = leaves.map((leaf) => new TextDecoder().decode(leaf))
  assertSnapshots(texts)
  return { size, leaves: texts, assertExtends: (seen) => assertExtends(seen, size, roots) }
}

async function readLeaves(url: string, size: number): Promise<Uint8Array[]> {
  const leaves: Uint8Array[] = []
  for (const { level, n, width } of tilesForSize(size)) {
    if (level > 0) continue
    const bytes = await fetchBytes(`${url}/log/${formatTilePath('entries', n, width)}`)
    const entries = parseEntryBundle(bytes)
    if (entries.length !== width || !equalBytes(formatEntryBundle(entries), bytes))
      throw new Error(`entries ${n}`)
    leaves.push(...entries)
  }
  if (leaves.length !== size) throw new Error(`${leaves.length} entries for a size of ${size}`)
  return leaves
}

async function compareTiles(
  url: string,
  size: number,
  nodes: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  for (const { level, n, width } of tilesForSize(size)) {
    const tile = parseHashTile(await fetchBytes(`${url}/log/${formatTilePath(level, n, width)}`), width)
    for (const [slot, hash] of tile.entries()) {
      const expected = nodes.get(`${level * 8}/${n * 256 + slot}`)
      if (expected === undefined || !equalBytes(hash, expected))
        throw new Error(`tile ${level}/${n}, slot ${slot}`)
    }
  }
}

function assertSnapshots(leaves: readonly string[]): void {
  for (const [index, leaf] of leaves.entries()) {
    const event = parseEvent(utf8Bytes(leaf))
    if (event.t === 'snapshot' && event.asOf !== index)
      throw new Error(`the snapshot at ${index} is of ${event.asOf}`)
    if (index === leaves.length - 1 && event.t !== 'snapshot')
      throw new Error('the last entry is no snapshot')
  }
}

function assertExtends(seen: readonly Seen[], size: number, roots: readonly string[]): void {
  for (const one of seen) {
    if (one.size > size) throw new Error(`the log went back from ${one.size} to ${size}`)
    if (one.size > 0 && roots[one.size - 1] !== one.root)
      throw new Error(`size ${one.size} was shown with another root`)
  }
}

async function fetchText(url: string): Promise<string> {
  return new TextDecoder().decode(await fetchBytes(url))
}

async function fetchBytes(url: string): Promise<Uint8Array> {
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}
