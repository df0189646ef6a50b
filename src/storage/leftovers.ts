import { lstat, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Nobody takes that long between a draft and its name; a process that slept longer makes its draft again. */
const ABANDONED_MS = 3_600_000

/**
 * Removes what processes that were killed in the middle of a write left beside `file`: drafts named as the file with
 * `ending` behind it, a private key in them perhaps, that nobody has touched for an hour.
 */
export async function removeLeftovers(file: string, ending: RegExp): Promise<void> {
  const folder = dirname(file)
  const name = basename(file)
  const names = await readdir(folder).catch(ignoreForbidden)
  const drafts = names.filter((one) => one.startsWith(name) && ending.test(one.slice(name.length)))
  for (const draft of drafts) await removeAbandoned(join(folder, draft)).catch(ignoreForbidden)
}

async function removeAbandoned(draft: string): Promise<never[]> {
  const { mtimeMs } = await lstat(draft)
  if (Date.now() - mtimeMs > ABANDONED_MS) await rm(draft, { recursive: true, force: true })
  return []
}

/** A folder that may only be read hinders no start: nothing of it is used, and it is as private as it was. */
function ignoreForbidden(cause: unknown): never[] {
  if (['ENOENT', 'EACCES', 'EPERM', 'EROFS'].includes((cause as NodeJS.ErrnoException).code ?? '')) return []
  throw cause
}
