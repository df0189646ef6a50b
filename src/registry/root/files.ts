import { link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  CountersignError,
  formatNote,
  noteSigner,
  parseNote,
  parseTrustRoot,
  MAX_ROOT_BYTES,
  randomBytes,
  signerFromSeed,
  type TrustRoot,
} from 'countersign/core'
import { exists } from '../../log/keys.js'
import { hasNoLinks } from '../../storage/links.js'
import { syncFolder } from '../../storage/sync-folder.js'
import { OperatorError } from '../errors.js'

/** A trust root in somebody's file, with any number of signatures; none of them is verified. */
export interface RootDraft {
  /** What it says; its `note` is not that of the file. */
  readonly root: TrustRoot
  readonly text: string
  readonly lines: readonly string[]
}

/** Reads a draft or a signed root. Throws OperatorError `file-unusable` or `root-malformed`. */
export async function readDraft(file: string): Promise<RootDraft> {
  return parseDraft(await readText(file), file)
}

/** Reads a note as it is. Throws OperatorError `file-unusable`. */
export async function readText(file: string): Promise<string> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw new OperatorError('file-unusable', `${file} cannot be read`, { cause })
  })
  try {
    const { size } = await handle.stat()
    if (size > MAX_ROOT_BYTES)
      throw new OperatorError('file-unusable', `${file} is too large for a trust root`)
    return await handle.readFile('utf8')
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause
    throw new OperatorError('file-unusable', `${file} cannot be read`, { cause })
  } finally {
    await handle.close()
  }
}

/** Throws OperatorError `root-malformed`. */
export function parseDraft(content: string, file = 'the draft'): RootDraft {
  try {
    const isUnsigned = content.endsWith('\n\n')
    const { text, signatures } = isUnsigned
      ? { text: content.slice(0, -1), signatures: [] }
      : parseNote(content)
    return { root: parseText(text), text, lines: signatures.map(({ line }) => line) }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new OperatorError('root-malformed', `${file} is no trust root: ${cause.message}`, { cause })
  }
}

/** A root's text is read with the root, and a root is a note: one signature, by nobody, makes it one. */
function parseText(text: string): TrustRoot {
  const nobody = noteSigner('nobody', signerFromSeed(randomBytes(32)))
  return parseTrustRoot(formatNote(text, [nobody.sign(text)]))
}

/** The file of a draft: a note, or, without signatures, all of one but them. */
export function formatDraft(text: string, lines: readonly string[]): string {
  return lines.length === 0 ? `${text}\n` : formatNote(text, lines)
}

/** Throws OperatorError `file-exists`. */
export async function assertFree(file: string): Promise<void> {
  if (await exists(file)) throw fileExists(file)
}

function fileExists(file: string, cause?: unknown): OperatorError {
  return new OperatorError('file-exists', `${file} is there already: name another file`, { cause })
}

/**
 * All of it or nothing of it. Throws OperatorError `file-exists`: what people signed is never overwritten; `file-unusable`
 * where nothing can be written.
 */
export async function writeNew(file: string, content: string, mode = 0o644): Promise<void> {
  const draft = `${file}.tmp`
  try {
    await writeSynced(draft, content, mode)
    // Unlike a rename, a link never takes the place of a file.
    await link(draft, file).catch((cause: unknown) => writeUnlinked(file, content, mode, cause))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw fileExists(file, cause)
    throw new OperatorError('file-unusable', `${file} cannot be written`, { cause })
  } finally {
    await rm(draft, { force: true })
  }
  await syncFolder(dirname(file))
}

/** Sticks that are carried to signers know no links; the name alone is safe there. */
async function writeUnlinked(file: string, content: string, mode: number, cause: unknown): Promise<void> {
  if (!hasNoLinks(cause)) throw cause
  await writeSynced(file, content, mode, 'wx')
}

/** All of it or nothing of it, whenever it is interrupted. */
export async function replaceFile(file: string, content: string, mode = 0o644): Promise<void> {
  const draft = `${file}.tmp`
  await writeSynced(draft, content, mode)
  await rename(draft, file)
  await syncFolder(dirname(file))
}

async function writeSynced(file: string, content: string, mode: number, flags = 'w'): Promise<void> {
  const handle = await open(file, flags, mode)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
