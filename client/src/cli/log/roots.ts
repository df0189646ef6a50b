import {
  CountersignError,
  MAX_ROOT_STEPS,
  openTrustRoot,
  parseNote,
  rootFingerprint,
  rootNoteDigest,
  type TrustRoot,
} from '../../core/index.js'
import { lieAt, type Lie } from './lie.js'
import type { RootPeople } from './replay-state.js'
import type { LogSource } from './source.js'

/** What a person pinned, verified. */
export interface Pinned {
  readonly root: TrustRoot
  readonly fingerprint?: string
}

/** What a registry serves as its trust roots; the log holds their digests. */
export interface Roots {
  readonly digests: Map<number, string>
  /** Whom they name, as far as each is signed by the one before. */
  readonly people: Map<number, RootPeople>
  /** Those that are signed by the one before, by version. */
  readonly chain: Map<number, TrustRoot>
  readonly notes: Map<number, string>
  readonly lies: Lie[]
  /** The newest one that follows from what was pinned. */
  newest: TrustRoot
  /** Whether the chain is broken: nothing after that names anybody. */
  isBroken: boolean
}

/** Before the first version is read. */
export function openRoots(pinned: Pinned): Roots {
  return {
    digests: new Map(),
    people: new Map(),
    chain: new Map(),
    notes: new Map(),
    lies: [],
    newest: pinned.root,
    isBroken: false,
  }
}

/** A registry serves at least what a host pinned of it. */
export function comparePinnedVersion({ root: { version } }: Pinned, roots: Roots): void {
  if (roots.digests.has(version)) return
  roots.lies.push(lieAt(0, 'rollback', `this host pinned trust root ${version}, which is not served`))
}

/** The versions after those that are known, from 1 on; whether there was one. */
export async function fetchNewerRoots(source: LogSource, pinned: Pinned, roots: Roots): Promise<boolean> {
  const before = roots.digests.size
  for (let version = before + 1; version <= MAX_ROOT_STEPS; version++) {
    const note = await source.root(version)
    if (note === undefined) break
    addRoot(roots, pinned, version, note)
  }
  return roots.digests.size > before
}

function addRoot(roots: Roots, pinned: Pinned, version: number, note: string): void {
  roots.digests.set(version, rootNoteDigest(note))
  roots.notes.set(version, note)
  const isPinned = comparePinned(roots, pinned, version, note)
  if (roots.isBroken) return
  try {
    const root = openTrustRoot(note, roots.chain.get(version - 1))
    if (root.identity !== pinned.root.identity || root.version !== version) {
      throw new CountersignError('root-malformed', `it is version ${root.version} of ${root.identity}`)
    }
    roots.chain.set(version, root)
    roots.people.set(version, root)
    if (isPinned && version > pinned.root.version) roots.newest = root
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    // A root whose signatures do not hold names nobody, and neither does any that follows it.
    roots.isBroken = true
    const said = `trust root ${version} does not follow from the one before: ${cause.message}`
    roots.lies.push(lieAt(0, cause.code, said, { root: note }))
  }
}

/**
 * Whether the chain is the one that was pinned. Another root may name other people, and every event would be true by it.
 */
function comparePinned(roots: Roots, { root, fingerprint }: Pinned, version: number, note: string): boolean {
  const text = textOf(note)
  const isOther =
    (version === root.version && text !== root.text) ||
    (version === 1 &&
      fingerprint !== undefined &&
      text !== undefined &&
      rootFingerprint(text) !== fingerprint)
  if (isOther) {
    const said = `this host pinned another trust root of version ${version}`
    roots.lies.push(lieAt(0, 'equivocation', said, { notes: [root.note, note] }))
  }
  return !roots.lies.some(({ code }) => code === 'equivocation')
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
