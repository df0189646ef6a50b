import {
  CountersignError,
  MAX_ROOT_STEPS,
  openTrustRoot,
  refuse,
  rootFingerprint,
  type Digest,
  type TrustRoot,
} from './core/index.js'
import { atStep } from './verdict.js'

/** Where newer versions of a trust root come from: a registry, or any mirror of it. */
export interface RootSource {
  /** Undefined when there is no such version (yet). */
  fetchRoot(version: number | 'latest'): Promise<string | undefined>
}

/** What a host pinned of a registry: kept by the person or shipped with the host. */
export interface Trust {
  readonly identity: string
  /** The newest trust root that was verified, as a signed note. */
  readonly rootNote: string
  /** Of version 1, for ever; what people compare. */
  readonly fingerprint?: string
  /** Where the registry was when it was pinned; any mirror does as well. */
  readonly registry?: string
}

/**
 * Opens what was pinned (PROTOCOL 8). A note that is version 1 must have the pinned fingerprint.
 * @throws CountersignError `registry-mismatch` for another identity or fingerprint, `root-outdated` when it does not verify
 */
export function openTrust(trust: Trust): TrustRoot {
  const root = atStep(1, 'root-outdated', () => openTrustRoot(trust.rootNote))
  if (root.identity !== trust.identity) {
    refuse('registry-mismatch', 'the trust root is of another registry', {
      step: 1,
      expected: trust.identity,
      found: root.identity,
    })
  }
  if (trust.fingerprint !== undefined && root.version === 1) assertFingerprint(root, trust.fingerprint)
  return root
}

function assertFingerprint(first: TrustRoot, fingerprint: string): void {
  const found = rootFingerprint(first.text)
  if (found !== fingerprint) {
    refuse('registry-mismatch', 'the trust root has another fingerprint', {
      step: 1,
      expected: fingerprint,
      found,
    })
  }
}

/**
 * Walks from a verified root to the newest one, version by version, each signed by a threshold of its own keys and of the
 * one before (PROTOCOL 8). At most 256 steps; a step that does not verify ends the walk with an error, never with less.
 * @throws CountersignError `root-outdated`, `registry-unreachable`, `registry-error`
 */
export async function walkRoot(api: RootSource, from: TrustRoot): Promise<TrustRoot> {
  let root = from
  for (let step = 0; step < MAX_ROOT_STEPS; step++) {
    const note = await api.fetchRoot(root.version + 1)
    if (note === undefined) return root
    const before = root
    root = atStep(1, 'root-outdated', () => openTrustRoot(note, before))
  }
  return refuse('root-outdated', 'the registry offers more roots than a host walks in one go', { step: 1 })
}

/** PROTOCOL 10.1. `now` in POSIX seconds. */
export function assertRootCurrent(root: TrustRoot, now: number): void {
  if (root.expiresAt <= now) {
    refuse('root-expired', 'the trust root expired', {
      step: 1,
      version: root.version,
      expires: root.expires,
    })
  }
}

export interface PinnedTrust {
  readonly trust: Trust
  readonly fingerprint: Digest
  readonly root: TrustRoot
}

/**
 * Pins a registry: fetches version 1, compares its fingerprint with the one the person was given, and walks to the newest
 * version. Without a fingerprint this is trust on first use: show what it returns and have it compared.
 * @throws CountersignError `registry-mismatch` for another fingerprint, `root-outdated`, `registry-error`
 */
export async function pinTrust(
  api: RootSource,
  options: { readonly fingerprint?: string; readonly registry?: string } = {},
): Promise<PinnedTrust> {
  const note = (await api.fetchRoot(1)) ?? refuse('registry-error', 'the registry has no trust root')
  const first = atStep(1, 'root-outdated', () => openTrustRoot(note))
  if (first.version !== 1)
    throw new CountersignError('registry-error', 'this is not version 1 of a trust root')
  if (options.fingerprint !== undefined) assertFingerprint(first, options.fingerprint)
  const root = await walkRoot(api, first)
  const fingerprint = rootFingerprint(first.text)
  const trust = {
    identity: root.identity,
    rootNote: root.note,
    fingerprint,
    ...(options.registry !== undefined && { registry: options.registry }),
  }
  return { trust, fingerprint, root }
}
