import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TrustRoot } from '../core/index.js'
import type { LogMemory } from '../memory.js'
import { fileMemory, readTrust } from '../node/index.js'
import { openTrust, type Trust } from '../trust.js'
import { normalUrl, type Context } from './context.js'
import { readState } from './files.js'

/**
 * What this person pinned: of the registry that was named, or the default one. A URL that nothing was pinned for may be a
 * mirror: then the default root decides whether it speaks the truth.
 * @throws CountersignError `usage` when nothing is pinned
 */
export async function readPinned(context: Context): Promise<{ trust: Trust }> {
  const identity =
    context.registry === undefined ? undefined : findIdentity(context, normalUrl(context.registry))
  return { trust: await readTrust(context.home, identity) }
}

function findIdentity(context: Context, url: string): string | undefined {
  const folder = join(context.home, 'trust')
  const identities = existsSync(folder) ? readdirSync(folder) : []
  return identities.find((identity) => readState(join(folder, identity, 'trust.json'))?.['registry'] === url)
}

/** The pinned trust root, its signatures verified. */
export async function openPinned(context: Context): Promise<TrustRoot> {
  return openTrust((await readPinned(context)).trust)
}

/** The audience of everything signed here. */
export async function pinnedIdentity(context: Context): Promise<string> {
  return (await openPinned(context)).identity
}

/** The state of the log this host saw last, if it saw one. */
export async function readRemembered(context: Context): Promise<LogMemory | undefined> {
  const { trust } = await readPinned(context)
  return (await openMemory(context).readWorld(trust.identity))?.log
}

/** The memory of this home folder. */
export function openMemory(context: Context) {
  return fileMemory(join(context.home, 'memory'))
}
