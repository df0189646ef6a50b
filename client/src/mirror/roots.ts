import {
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
    const note = await readNote(ports, chain.length + 1)
    if (note === undefined) break
    const root = atStep(1, 'root-outdated', () => openTrustRoot(note, chain.at(-1)))
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

async function readNote({ folder, api }: MirrorPorts, version: number): Promise<string | undefined> {
  const kept = await folder.read(rootPath(version), MAX_ROOT_BYTES)
  return kept === undefined ? api.fetchRoot(version) : parseText(kept, MAX_ROOT_BYTES)
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
