import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { sha256HexOfText } from '../../core/index.js'
import { writeOutput } from '../files.js'
import type { Alert, Lie } from './lie.js'

/** Keeps what a lie, or the cut of a log, is proved with. */
export interface EvidenceFolder {
  /** @returns the file it is kept in, the same one for the same finding; undefined when the folder has enough */
  keep(found: Lie | Alert): string | undefined
}

/** Who lies at every run in other words fills no disk: what was kept first stays. */
const MAX_FILES = 10_000

/**
 * A folder of evidence; it is made when there is something to keep.
 * @param about whose log it is, and where it was read
 */
export function openEvidence(
  dir: string,
  about: { readonly identity: string; readonly registry: string },
): EvidenceFolder {
  let count: number | undefined
  return {
    keep(found) {
      const path = join(dir, nameOf(found, about))
      // Found again at every run, it is written once.
      if (existsSync(path)) return path
      count ??= existsSync(dir) ? readdirSync(dir).length : 0
      if (count >= MAX_FILES) return undefined
      count += 1
      const document = { format: 'countersign/evidence/v1', ...about, ...found }
      writeOutput(path, `${JSON.stringify(document, undefined, 2)}\n`)
      return path
    },
  }
}

/** A note is cosigned anew every few minutes: the same trees make the same finding. */
function nameOf(found: Lie | Alert, about: object): string {
  const texts = Object.entries(found.documents ?? {}).map(([name, value]) => [
    name,
    (typeof value === 'string' ? [value] : value).map((text) => text.split('\n\n', 1)[0]),
  ])
  const digest = sha256HexOfText(JSON.stringify({ ...about, ...found, documents: texts }))
  return `${found.index ?? 'log'}-${found.code}-${digest.slice(0, 16)}.json`
}
