import { openTrustRoot, type TrustRoot } from 'countersign/core'
import { readText } from '../root/files.js'
import { refusing } from '../../log/root.js'

/** Those of `notes` that follow `root`, each verified by the one before it; older ones are passed over. */
export function walkRoots(root: TrustRoot, notes: readonly string[]): TrustRoot[] {
  const walked: TrustRoot[] = []
  for (const note of notes) {
    const before = walked.at(-1) ?? root
    const next = refusing(() => openTrustRoot(note))
    if (next.version > before.version) walked.push(refusing(() => openTrustRoot(note, before)))
  }
  return walked
}

/** All of them by version; of two of one version the first that was known. */
export function mergeRoots(known: readonly string[], more: readonly string[]): string[] {
  const byVersion = new Map<number, string>()
  for (const note of [...known, ...more]) {
    const { version } = refusing(() => openTrustRoot(note))
    if (!byVersion.has(version)) byVersion.set(version, note)
  }
  return [...byVersion].sort(([a], [b]) => a - b).map(([, note]) => note)
}

/** Trust roots in files, by version. */
export async function readRootFiles(files: readonly string[]): Promise<string[]> {
  const notes = await Promise.all(files.map(readText))
  return mergeRoots(notes, [])
}
