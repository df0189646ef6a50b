import type { Input } from '../context.js'
import {
  activeLog,
  appendLeaf,
  decodeBase64,
  emptyRange,
  equalBytes,
  encodeBase64,
  formatTilePath,
  leafHash,
  openNote,
  openTrustRoot,
  parseCheckpointBody,
  parseEntryBundle,
  parseHashTile,
  parseNote,
  rangeRoot,
  rootNoteDigest,
  tilesForSize,
  CountersignError,
  TILE_WIDTH,
  type Checkpoint,
  type TrustRoot,
} from '../../core/index.js'
import { registryUrl, type Context } from '../context.js'
import { Refused } from '../failures.js'
import { writeOutput } from '../files.js'
import { fetchDocument } from '../fetch-document.js'
import { bold, dim, green, pairs, red, type Line } from '../output.js'
import { openSpoken, readRemembered } from '../pinned.js'
import { openReplay, type Lie, type Replay, type ReplaySummary } from './replay.js'
import type { RootPeople } from './replay-state.js'

const MAX_CHECKPOINT_BYTES = 256 * 1024
const MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + 65_535)
const MAX_ROOTS = 256

interface Options {
  readonly evidence?: string
}

interface Audit extends ReplaySummary {
  readonly origin: string
  readonly size: number
  readonly root: string
  readonly checkpoint: string
}

/** `countersign log verify`: checkpoint, every leaf, every tile, and what this host remembers. */
export async function verifyLog(context: Context, { options }: Input<Options>): Promise<void> {
  const trust = await openSpoken(context)
  const registry = registryUrl(context)
  const { checkpoint, note } = await fetchCheckpoint(registry, trust)
  const { digests, people, lies: rootLies } = await fetchRoots(registry, trust)
  const replay = openReplay(trust.identity, digests, people)
  const treeLies = await replayTiles(context, registry, checkpoint, replay)
  const summary = replay.finish()
  const audit: Audit = {
    ...summary,
    origin: checkpoint.origin,
    size: checkpoint.size,
    root: encodeBase64(checkpoint.root),
    checkpoint: note,
    lies: [...rootLies, ...treeLies, ...summary.lies],
  }
  finish(context, audit, options.evidence)
}

async function fetchCheckpoint(
  registry: string,
  trust: TrustRoot,
): Promise<{ checkpoint: Checkpoint; note: string }> {
  const bytes = await fetchDocument(`${registry}/log/checkpoint`, MAX_CHECKPOINT_BYTES)
  const { origin, key } = activeLog(trust)
  try {
    const { text } = openNote(bytes, [key])
    const checkpoint = parseCheckpointBody(text)
    if (checkpoint.origin === origin) return { checkpoint, note: Buffer.from(bytes).toString('utf8') }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('checkpoint-invalid', cause.message, { origin }, { cause })
  }
  throw new CountersignError('checkpoint-invalid', 'the checkpoint is of another log', { origin })
}

interface Roots {
  readonly digests: Map<number, string>
  readonly people: Map<number, RootPeople>
  readonly lies: Lie[]
}

/** What the registry serves as its roots; the log holds their digests. */
async function fetchRoots(registry: string, pinned: TrustRoot): Promise<Roots> {
  const { identity } = pinned
  const roots: Roots = { digests: new Map(), people: new Map(), lies: [] }
  let chain: TrustRoot[] | undefined = []
  for (let version = 1; version <= MAX_ROOTS; version++) {
    const bytes = await fetchDocument(
      `${registry}/v1/root/${version}`,
      MAX_CHECKPOINT_BYTES,
      'absent-is-undefined',
    )
    if (bytes === undefined) break
    const note = Buffer.from(bytes).toString('utf8')
    // Another root than the pinned one may name other people, and every event would be true by it.
    if (version === pinned.version && textOf(note) !== pinned.text) {
      roots.lies.push(lie(0, 'equivocation', `this host pinned another trust root of version ${version}`))
    }
    roots.digests.set(version, rootNoteDigest(note))
    chain = followRoot(chain, note, { identity, version })
    const root = chain?.at(-1)
    if (root !== undefined) roots.people.set(version, root)
  }
  if (!roots.digests.has(pinned.version)) {
    roots.lies.push(lie(0, 'rollback', `this host pinned trust root ${pinned.version}, which is not served`))
  }
  return roots
}

/** What a note says, whoever signed it; undefined for what is no note. */
function textOf(note: string): string | undefined {
  try {
    return parseNote(note).text
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}

/**
 * A root whose signatures do not hold names nobody, and neither does any that follows it: what its people should have
 * signed is then a lie.
 */
function followRoot(
  chain: readonly TrustRoot[] | undefined,
  note: string,
  due: { readonly identity: string; readonly version: number },
): TrustRoot[] | undefined {
  try {
    const root = chain === undefined ? undefined : openTrustRoot(note, chain.at(-1))
    return root?.identity === due.identity && root.version === due.version ? [root] : undefined
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}

/** Leaves into the replay and into a tree of our own; the tree must come out as the checkpoint and the tiles say. */
async function replayTiles(
  context: Context,
  registry: string,
  { size, root }: Checkpoint,
  replay: Replay,
): Promise<Lie[]> {
  const remembered = await readRemembered(context)
  const nodes = new Map<string, Uint8Array>()
  const lies: Lie[] = []
  let range = emptyRange()
  for (let n = 0; n * TILE_WIDTH < size; n++) {
    context.signal.throwIfAborted()
    if (n % 16 === 0) context.out.progress(`entry ${n * TILE_WIDTH} of ${size}`)
    const width = Math.min(TILE_WIDTH, size - n * TILE_WIDTH)
    for (const leaf of await fetchEntries(registry, n, width)) {
      replay.add(leaf)
      range = appendLeaf(range, leafHash(leaf), (level, index, hash) => {
        if (level % 8 === 0) nodes.set(`${level / 8} ${index}`, hash)
      })
      if (range.size === remembered?.size && !equalBytes(rangeRoot(range), decodeBase64(remembered.root))) {
        lies.push(lie(range.size, 'equivocation', 'this host saw another tree of this size'))
      }
    }
  }
  if (!equalBytes(rangeRoot(range), root)) {
    lies.push(lie(size, 'checkpoint-invalid', 'the entries are not those of the signed checkpoint'))
  }
  if (remembered !== undefined && remembered.size > size) {
    lies.push(lie(size, 'rollback', `this host saw a tree of size ${remembered.size}`))
  }
  return [...lies, ...(await checkTiles(registry, size, nodes))]
}

async function fetchEntries(registry: string, n: number, width: number): Promise<Uint8Array[]> {
  const bytes = await fetchDocument(
    `${registry}/log/${formatTilePath('entries', n, width)}`,
    MAX_BUNDLE_BYTES,
  )
  return parseEntryBundle(bytes, width)
}

async function checkTiles(
  registry: string,
  size: number,
  nodes: ReadonlyMap<string, Uint8Array>,
): Promise<Lie[]> {
  const lies: Lie[] = []
  for (const { level, n, width } of tilesForSize(size)) {
    const bytes = await fetchDocument(`${registry}/log/${formatTilePath(level, n, width)}`, TILE_WIDTH * 32)
    const same = parseHashTile(bytes, width).every((hash, i) => {
      const own = nodes.get(`${level} ${n * TILE_WIDTH + i}`)
      return own !== undefined && equalBytes(own, hash)
    })
    if (!same)
      lies.push(
        lie(n * TILE_WIDTH, 'proof-invalid', `tile ${level}/${n} does not hold the hashes of its entries`),
      )
  }
  return lies
}

function lie(index: number, code: string, said: string): Lie {
  return { index, code, said, leaf: '' }
}

function finish(context: Context, audit: Audit, evidence: string | undefined): void {
  const { lies, checkpoint, ...summary } = audit
  if (lies.length > 0 && evidence !== undefined) {
    writeOutput(evidence, `${JSON.stringify({ ...summary, checkpoint, lies }, undefined, 2)}\n`)
  }
  context.out.result({ ok: lies.length === 0, ...summary, checkpoint, lies }, [
    ...pairs([
      ['log', audit.origin],
      ['entries', String(audit.entries)],
      ['root', audit.root],
      [
        'events',
        Object.entries(audit.events)
          .map(([t, count]) => `${t} ${count}`)
          .join(', '),
      ],
      ['revocations', String(audit.revocations)],
    ]),
    ...(lies.length === 0
      ? [[green('consistent'), ' every entry is what it claims to be']]
      : lies.flatMap(lieLines)),
  ])
  if (lies.length > 0) throw new Refused('the log lies')
}

function lieLines({ index, code, said, leaf }: Lie): Line[] {
  const first: Line = [red('lie'), bold(` at ${index}`), ` ${said} `, dim(`(${code})`)]
  return leaf === '' ? [first] : [first, [dim('    │ '), leaf.slice(0, 400)]]
}
