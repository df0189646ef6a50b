import { join } from 'node:path'
import type { TrustRoot } from '../core/index.js'
import type { LogMemory } from '../memory.js'
import { fileMemory, listTrust, readTrust } from '../node/index.js'
import { openTrust, type Trust } from '../trust.js'
import { normalUrl, registryUrl, type Context } from './context.js'

/**
 * What this person pinned: of the registry that was named, or the default one. A URL that nothing was pinned for may be a
 * mirror: then the default root decides whether it speaks the truth.
 * @throws CountersignError `usage` when nothing is pinned
 */
export async function readPinned(context: Context): Promise<{ trust: Trust }> {
  return readPinnedFor(context, context.registry)
}

async function readPinnedFor({ home }: Context, registry: string | undefined): Promise<{ trust: Trust }> {
  const url = registry === undefined ? undefined : normalUrl(registry)
  const known = url === undefined ? [] : await listTrust(home)
  const identity = known.find((one) => one.registry === url)?.identity
  return { trust: await readTrust(home, identity) }
}

/** The pinned trust root, its signatures verified. */
export async function openPinned(context: Context): Promise<TrustRoot> {
  return openTrust((await readPinned(context)).trust)
}

/** The pinned root of the registry that this command speaks to: that may be another than the host's default. */
export async function openSpoken(context: Context): Promise<TrustRoot> {
  return openTrust((await readPinnedFor(context, registryUrl(context))).trust)
}

/** The audience of everything signed here: who is signed for is who it is sent to. */
export async function pinnedIdentity(context: Context): Promise<string> {
  return (await openSpoken(context)).identity
}

/** The state of the log this host saw last, if it saw one. */
export async function readRemembered(context: Context): Promise<LogMemory | undefined> {
  const { identity } = await openSpoken(context)
  return (await openMemory(context).readWorld(identity))?.log
}

/** The memory of this home folder. */
export function openMemory(context: Context) {
  return fileMemory(join(context.home, 'memory'))
}
