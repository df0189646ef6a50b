import {
  CountersignError,
  MAX_ROOT_BYTES,
  MAX_ROOT_STEPS,
  openTrustRoot,
  parseText,
  refuse,
  rootFingerprint,
  type TrustRoot,
} from '../core/index.js'
import { rootPath } from '../static-api/paths.js'
import { openTrust } from '../trust.js'
import { atStep } from '../verdict.js'
import type { MirrorPorts } from './ports.js'

/**
 * Every version of the trust root from the first on, each signed by the one before, with the pinned one among them.
 * @throws CountersignError `root-outdated`, `registry-mismatch`, `rollback` when the registry has not even the pinned one
 */
export async function fetchRootChain(ports: MirrorPorts): Promise<TrustRoot[]> {
  const pinned = openTrust(ports.trust)
  const chain: TrustRoot[] = []
  while (chain.length < MAX_ROOT_STEPS) {
    const root = await nextRoot(ports, chain)
    if (root === undefined) break
    assertPinned(root, pinned, ports.trust.fingerprint)
    chain.push(root)
  }
  if (chain.length < pinned.version) {
    refuse('rollback', 'the registry lacks the trust root that is pinned', {
      step: 1,
      version: pinned.version,
    })
  }
  return chain
}

/** Out of the folder, or from the registry where that has none that holds. */
async function nextRoot({ folder, api }: MirrorPorts, chain: readonly TrustRoot[]) {
  const before = chain.at(-1)
  const version = chain.length + 1
  try {
    const kept = await folder.read(rootPath(version), MAX_ROOT_BYTES)
    if (kept !== undefined) return openTrustRoot(parseText(kept, MAX_ROOT_BYTES), before)
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code === 'io') throw error
  }
  const note = await api.fetchRoot(version)
  return note === undefined ? undefined : atStep(1, 'root-outdated', () => openTrustRoot(note, before))
}

function assertPinned(root: TrustRoot, pinned: TrustRoot, fingerprint: string | undefined): void {
  const isOther =
    root.identity !== pinned.identity ||
    (root.version === pinned.version && root.text !== pinned.text) ||
    (root.version === 1 && fingerprint !== undefined && rootFingerprint(root.text) !== fingerprint)
  if (!isOther) return
  refuse('registry-mismatch', 'the trust root is another than the one that is pinned', {
    step: 1,
    version: root.version,
    expected: pinned.identity,
    found: root.identity,
  })
}
