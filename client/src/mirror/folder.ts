import { lstat, mkdir, open, readdir, realpath, rename, rm, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { equalBytes, refuse } from '../core/index.js'
import { guarded, isCode } from '../node/files.js'
import { assertDocumentPath, readRegularFile } from '../node/registry-files.js'
import type { ReadDocument } from '../static-api.js'

/** Anybody may read a mirror: a web server under another account does. */
const FOLDER_MODE = 0o755
const FILE_MODE = 0o644
const DRAFTS = '.mirror.drafts'

/** A document that is on disk, and not yet where readers look for it. */
export interface Draft {
  readonly path: string
  install(): Promise<void>
}

/**
 * The folder a mirror is written to. Documents are written aside, synced and renamed: a reader sees the old one or the
 * new one. Nothing is written or read through a link below the folder.
 * Everything throws `io`, with the code of the file system in its detail.
 */
export interface Folder {
  readonly path: string
  /** Undefined when there is none, or something else of that name. */
  readonly read: ReadDocument
  draft(path: string, bytes: Uint8Array): Promise<Draft>
  /** A draft that is installed at once; nothing happens when the very same is there. */
  write(path: string, bytes: Uint8Array): Promise<void>
  remove(path: string): Promise<void>
  /** Puts one folder in another's place. */
  replaceFolder(from: string, to: string): Promise<void>
  /** Names in a folder; none when it is not there. */
  list(path: string): Promise<string[]>
  /** What was renamed so far is on disk when this resolves. */
  settle(): Promise<void>
}

/**
 * Opens a folder, made when it is not there.
 * @throws CountersignError `io`; `usage` for a folder that holds other things
 */
export async function openFolder(out: string): Promise<Folder> {
  const path = await guarded(out, async () => {
    await mkdir(out, { recursive: true, mode: FOLDER_MODE })
    return realpath(out)
  })
  await assertOurs(path)
  return folderAt(path)
}

/** A mistyped `--out` must not fill somebody's home folder. */
async function assertOurs(path: string): Promise<void> {
  const names = await guarded(path, () => readdir(path))
  const isOurs = names.every((name) => name.startsWith('.mirror.')) || names.includes('.mirror.json')
  if (!isOurs) refuse('usage', 'the folder holds other things and is no mirror', { out: path })
}

/** Throws away what an earlier run did not finish. For the holder of the lock alone. */
export async function clearDrafts(out: string): Promise<void> {
  await guarded(out, () => rm(join(out, DRAFTS), { recursive: true, force: true }))
}

function folderAt(root: string): Folder {
  const checked = new Set<string>()
  const touched = new Set<string>()
  let drafts = 0

  /** Each step of the way is a folder and no link; missing ones are made. */
  async function makeFolder(path: string): Promise<void> {
    if (path === '.' || checked.has(path)) return
    await makeFolder(dirname(path))
    const full = join(root, path)
    await mkdir(full, { mode: FOLDER_MODE }).catch((error: unknown) => {
      if (!isCode(error, 'EEXIST')) throw error
    })
    if (!(await lstat(full)).isDirectory()) refuse('io', `${full} is no folder`, { path, code: 'ENOTDIR' })
    checked.add(path)
    touched.add(dirname(path))
  }

  async function isReal(path: string): Promise<boolean> {
    for (let at = path; at !== '.'; at = dirname(at)) {
      if (checked.has(at)) break
      if (await isLink(join(root, at))) return false
    }
    return true
  }

  const folder: Folder = {
    path: root,
    read: async (path, maxBytes) => {
      assertDocumentPath(path)
      return (await guarded(root, () => isReal(path)))
        ? readRegularFile(join(root, path), maxBytes)
        : undefined
    },
    async draft(path, bytes) {
      assertDocumentPath(path)
      const aside = join(root, DRAFTS, String(++drafts))
      await guarded(join(root, path), async () => {
        await makeFolder(DRAFTS)
        await makeFolder(dirname(path))
        await writeNew(aside, bytes)
      })
      const install = async (): Promise<void> => {
        // A rename puts the file in the place of a link; it does not follow one.
        await guarded(join(root, path), () => rename(aside, join(root, path)))
        touched.add(dirname(path))
      }
      return { path, install }
    },
    async write(path, bytes) {
      const old = await folder.read(path, bytes.length).catch(() => undefined)
      if (old !== undefined && equalBytes(old, bytes)) return
      await (await folder.draft(path, bytes)).install()
    },
    async remove(path) {
      assertDocumentPath(path)
      await guarded(join(root, path), async () => {
        if (!(await isReal(dirname(path)))) return
        await unlink(join(root, path)).catch((error: unknown) => {
          if (!isCode(error, 'ENOENT') && !isCode(error, 'ENOTDIR')) throw error
        })
      })
    },
    async replaceFolder(from, to) {
      await guarded(join(root, to), async () => {
        await makeFolder(DRAFTS)
        await makeFolder(dirname(to))
        const old = join(root, DRAFTS, `old-${++drafts}`)
        await rename(join(root, to), old).catch((error: unknown) => {
          if (!isCode(error, 'ENOENT')) throw error
        })
        await rename(join(root, from), join(root, to))
        checked.clear()
        touched.add(dirname(to))
      })
    },
    async list(path) {
      if (!(await guarded(root, () => isReal(path)))) return []
      return guarded(join(root, path), () =>
        readdir(join(root, path)).catch((error: unknown) => {
          if (isCode(error, 'ENOENT') || isCode(error, 'ENOTDIR')) return []
          throw error
        }),
      )
    },
    async settle() {
      const due = [...touched]
      touched.clear()
      for (const path of due) await guarded(path, () => syncFolder(join(root, path)))
    },
  }
  return folder
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink()
  } catch (error) {
    if (isCode(error, 'ENOENT') || isCode(error, 'ENOTDIR')) return false
    throw error
  }
}

async function writeNew(file: string, bytes: Uint8Array): Promise<void> {
  await rm(file, { force: true })
  await withHandle(await open(file, 'wx', FILE_MODE), async (handle) => {
    await handle.writeFile(bytes)
    await handle.sync()
  })
}

/** A rename is durable once its folder is; some platforms cannot open one. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  try {
    await withHandle(await open(path, 'r'), (handle) => handle.sync())
  } catch (error) {
    // It was put in another's place meanwhile.
    if (!isCode(error, 'ENOENT')) throw error
  }
}

async function withHandle(handle: FileHandle, run: (handle: FileHandle) => Promise<void>): Promise<void> {
  try {
    await run(handle)
  } finally {
    await handle.close()
  }
}
