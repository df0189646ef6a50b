import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CountersignError,
  isJsonObject,
  isRegistryIdentity,
  MAX_ROOT_BYTES,
  openTrustRoot,
  parseStrictJson,
  parseText,
  refuse,
  type TrustRoot,
} from '../core/index.js'
import { openTrust, type Trust } from '../trust.js'
import { guarded, isCode, readFileCapped, replaceFile } from './files.js'
import { homeFolder } from './home.js'

const MAX_TRUST_BYTES = 16 * 1024

/** What was pinned of a registry. `trust.json` names the one used when none is named; the roots stand in `trust/<identity>/root.note`. */
export interface PinnedRegistry {
  readonly identity: string
  readonly registry?: string
  readonly fingerprint?: string
}

/**
 * What this person pinned: of the given registry identity, or the default one.
 * @throws CountersignError `usage` when nothing is pinned, `io`, `root-malformed` for a damaged file, and what
 *   {@link openTrust} throws
 */
export async function readTrust(home: string = homeFolder(), identity?: string): Promise<Trust> {
  const known = await readDefault(home, identity)
  const rootNote = await readNote(rootFile(home, known.identity))
  if (rootNote === undefined)
    refuse('usage', 'nothing is pinned of this registry: run `countersign trust add`', { ...known })
  const trust = { ...known, rootNote }
  openTrust(trust)
  return trust
}

async function readDefault(home: string, identity: string | undefined): Promise<PinnedRegistry> {
  const own = identity === undefined ? 'trust.json' : join('trust', safeIdentity(identity), 'trust.json')
  const bytes = await readFileCapped(join(home, own), MAX_TRUST_BYTES)
  if (bytes === undefined) refuse('usage', 'no registry is pinned yet: run `countersign trust add URL`')
  return parseDefault(bytes)
}

function parseDefault(bytes: Uint8Array): PinnedRegistry {
  const value = parseStrictJson(bytes, { maxBytes: MAX_TRUST_BYTES })
  const { identity, registry, fingerprint } = isJsonObject(value) ? value : {}
  if (typeof identity !== 'string') refuse('root-malformed', 'trust.json names no registry identity')
  return {
    identity: safeIdentity(identity),
    ...(typeof registry === 'string' && { registry }),
    ...(typeof fingerprint === 'string' && { fingerprint }),
  }
}

/** Every registry that is pinned here. @throws CountersignError `io`, `root-malformed` for a damaged file */
export async function listTrust(home: string = homeFolder()): Promise<PinnedRegistry[]> {
  const folder = join(home, 'trust')
  const names = await guarded(folder, () =>
    readdir(folder).catch((error: unknown) => {
      if (isCode(error, 'ENOENT')) return []
      throw error
    }),
  )
  return Promise.all(names.filter(isRegistryIdentity).map((identity) => readDefault(home, identity)))
}

/**
 * Keeps what was pinned, and makes it the default registry unless told otherwise. Verifies it first. An address belongs
 * to the registry that was pinned for it last.
 * @throws CountersignError what {@link openTrust} throws, `io`
 */
export async function writeTrust(
  trust: Trust,
  home: string = homeFolder(),
  options: { readonly isDefault?: boolean } = {},
): Promise<void> {
  const root = openTrust(trust)
  const about: PinnedRegistry = {
    identity: root.identity,
    ...(trust.registry !== undefined && { registry: trust.registry }),
    ...(trust.fingerprint !== undefined && { fingerprint: trust.fingerprint }),
  }
  for (const other of await listTrust(home)) {
    const { identity, fingerprint, registry } = other
    if (identity === about.identity || registry === undefined || registry !== about.registry) continue
    await writeAbout(home, { identity, ...(fingerprint !== undefined && { fingerprint }) })
  }
  await replaceFile(rootFile(home, root.identity), root.note)
  await writeAbout(home, about)
  if (options.isDefault !== false) await replaceFile(join(home, 'trust.json'), formatAbout(about))
}

async function writeAbout(home: string, about: PinnedRegistry): Promise<void> {
  await replaceFile(join(home, 'trust', safeIdentity(about.identity), 'trust.json'), formatAbout(about))
}

function formatAbout(about: PinnedRegistry): string {
  return `${JSON.stringify(about, null, 2)}\n`
}

/**
 * Opens a trust root from a file: its own signatures are verified.
 * @throws CountersignError `io`, `root-malformed`, `root-unsigned`
 */
export async function readTrustRoot(file: string): Promise<TrustRoot> {
  const note = await readNote(file)
  if (note === undefined)
    throw new CountersignError('io', `there is no file ${file}`, { file, code: 'ENOENT' })
  return openTrustRoot(note)
}

async function readNote(file: string): Promise<string | undefined> {
  const bytes = await readFileCapped(file, MAX_ROOT_BYTES)
  return bytes && parseText(bytes, MAX_ROOT_BYTES)
}

function rootFile(home: string, identity: string): string {
  return join(home, 'trust', safeIdentity(identity), 'root.note')
}

/** An identity becomes a folder's name. */
function safeIdentity(identity: string): string {
  return isRegistryIdentity(identity) ? identity : refuse('root-malformed', 'this is no registry identity')
}
