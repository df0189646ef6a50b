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

/** Trust roots in files, by version. */
export async function readRootFiles(files: readonly string[]): Promise<string[]> {
  const notes = await Promise.all(files.map(readText))
  return notes
    .map((note) => refusing(() => openTrustRoot(note)))
    .sort((a, b) => a.version - b.version)
    .map(({ note }) => note)
}
