import { decodeBase64, encodeBase64 } from '../../core/index.js'
import { emptyState, versionName, type Key, type KnownRoots, type Predecessor } from './replay-state.js'
import type { Published, Standing, State } from './replay-state.js'
import { StandingLines } from './standing-lines.js'

/** A replay's state as plain JSON: all of it but what is known of the roots, which is fetched anew each time. */
export interface ReplayDocument {
  readonly position: number
  readonly base: number
  readonly after?: Predecessor
  readonly atSnapshot: boolean
  readonly lies: number
  readonly rootVersion: number
  readonly roots: readonly (readonly [number, string])[]
  readonly events: readonly (readonly [string, number])[]
  /** A namespace with its keys, in the order in which they were enrolled. */
  readonly keys: readonly (readonly [string, readonly KeyDocument[]])[]
  readonly latest: readonly (readonly [string, number])[]
  /** In the order of publication. */
  readonly published: readonly Published[]
  readonly standings: readonly (readonly [string, Standing])[]
  readonly lines: readonly string[]
}

type KeyDocument = Omit<Key, 'publicKey'> & { readonly x: string }

/** The same text for the same state, however often it was written and read in between. */
export function documentOfReplay(state: State): ReplayDocument {
  const { position, base, after, atSnapshot, lies, rootVersion } = state
  return {
    ...{ position, base, ...(after && { after }), atSnapshot, lies, rootVersion },
    roots: [...state.roots],
    events: [...state.events],
    keys: [...state.keys].map(([namespace, keys]) => [namespace, keys.map(documentOfKey)]),
    latest: [...state.latest],
    published: [...state.published.values()].flat().sort((a, b) => a.index - b.index),
    standings: [...state.standings],
    lines: [...state.lines],
  }
}

/** Inverse of {@link documentOfReplay}; what is known of the roots is given. */
export function stateOfDocument(document: ReplayDocument, known: KnownRoots): State {
  const { position, base, after, atSnapshot, lies, rootVersion } = document
  const state: State = {
    ...emptyState(known),
    ...{ position, base, ...(after && { after }), atSnapshot, lies, rootVersion },
    roots: new Map(document.roots),
    events: new Map(document.events),
    keys: new Map(document.keys.map(([namespace, keys]) => [namespace, keys.map(keyOfDocument)])),
    folded: new Set(document.keys.map(([namespace]) => namespace.toLowerCase())),
    latest: new Map(document.latest),
    standings: new Map(document.standings),
    lines: new StandingLines(document.lines),
  }
  for (const published of document.published) addPublished(state, published)
  return state
}

function addPublished({ published: byDigest, byVersion }: State, published: Published): void {
  const { digest, server, version } = published
  const known = byDigest.get(digest)
  if (known === undefined) byDigest.set(digest, [published])
  else known.push(published)
  byVersion.set(versionName(server, version), published)
}

function documentOfKey({ publicKey, ...key }: Key): KeyDocument {
  return { ...key, x: encodeBase64(publicKey) }
}

function keyOfDocument({ x, ...key }: KeyDocument): Key {
  return { ...key, publicKey: decodeBase64(x) }
}
