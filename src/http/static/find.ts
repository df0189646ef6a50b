import { openCache } from './cache.js'
import type { Document } from './document.js'
import { followLog } from './follow.js'
import { openMoving } from './moving.js'
import { findPlace, type Place } from './places.js'
import { openSources, type Rooms } from './sources.js'

/** Names of versions whose manifest is known: one a version, for ever. */
const MOST_NAMES = 10_000

export interface Documents {
  /** What is finished, by a target exactly as it was asked for: nothing has to be read or asked for it. */
  kept(target: string): Document | undefined
  place(target: string): Place | undefined
  find(place: Place): Promise<Document | undefined>
  forget(digest: string): void
  close(): void
}

/** The documents of a registry: kept where they never change, made anew where they move. */
export function openDocuments(rooms: Rooms): Documents {
  const { ledger, store } = rooms
  const cache = openCache()
  const following = followLog(rooms, cache)
  const sources = openSources(rooms)
  const moving = openMoving(ledger)
  const names = new Map<string, string>()
  const place = (target: string): Place | undefined => findPlace(target, moving, sources)

  /** Where nobody else writes, what is known here is what there is. */
  const movingNow = (target: string): Document | undefined =>
    store.isShared || ledger.publishedSize() === 0 ? undefined : moving.get(target)?.()

  const findSource = async ({ key, source, parts, search }: Place & { kind: 'source' }) => {
    if (following.isBehind()) await following.settled()
    const kept = cache.get(key)
    if (kept !== undefined) return kept
    // Another process may have published what is asked for, or changed what it is made of.
    await ledger.sync()
    if (following.isBehind()) await following.settled()
    const make = () => source.read(parts, new URLSearchParams(search))
    return cache.make(key, make, source.target?.(parts[0] ?? ''))
  }
  const findVersion = async (server: string, version: string): Promise<Document | undefined> => {
    const name = `${server} ${version}`
    const digest = names.get(name) ?? (await store.readVersion(server, version))?.manifest
    const bundle = digest === undefined ? undefined : place(`/v1/bundles/${digest}`)
    const found = bundle === undefined ? undefined : await find(bundle)
    // What is missing today may be another manifest's tomorrow; what hosts were shown is this one's for ever.
    if (found !== undefined && digest !== undefined && names.size < MOST_NAMES) names.set(name, digest)
    return found
  }
  const find = async (at: Place): Promise<Document | undefined> => {
    if (at.kind === 'source') return findSource(at)
    if (at.kind === 'version') return findVersion(at.server, at.version)
    await ledger.sync()
    return at.read()
  }
  return {
    kept(target) {
      const found = cache.get(target) ?? movingNow(target)
      return found !== undefined && found.about.length > 0 && following.isBehind() ? undefined : found
    },
    place,
    find,
    forget: (digest) => cache.touch(new Set([`manifest:${digest}`])),
    close: () => following.close(),
  }
}
