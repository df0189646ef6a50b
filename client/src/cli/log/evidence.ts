import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sha256HexOfText } from '../../core/index.js'
import { writeOutput } from '../files.js'
import type { Alert, Lie } from './lie.js'

/** Keeps what a lie, or the cut of a log, is proved with. */
export interface EvidenceFolder {
  /** @returns the file it is kept in: the same one for the same finding */
  keep(found: Lie | Alert): string
}

/**
 * A folder of evidence; it is made when there is something to keep.
 * @param about whose log it is, and where it was read
 */
export function openEvidence(
  dir: string,
  about: { readonly identity: string; readonly registry: string },
): EvidenceFolder {
  return {
    keep(found) {
      const text = `${JSON.stringify({ format: 'countersign/evidence/v1', ...about, ...found }, undefined, 2)}\n`
      const name = `${found.index ?? 'log'}-${found.code}-${sha256HexOfText(text).slice(0, 16)}.json`
      const path = join(dir, name)
      // Found again at every run, it is written once.
      if (!existsSync(path)) writeOutput(path, text)
      return path
    },
  }
}
