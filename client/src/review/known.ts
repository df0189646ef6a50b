import { keyInvalidFrom, parseServerName } from '../core/index.js'
import { EMPTY_SERVER_MEMORY, type Accepted, type ServerMemory } from '../memory.js'
import type { View } from '../resolve/view.js'
import type { ItemSet } from '../verify/items.js'
import { judgeItem, type FactSource } from './judge.js'
import type { LiveList } from './live.js'
import type { ReviewPorts } from './types.js'

/** By the revocations alone that this host saw, and what it remembers itself: nothing the registry could show instead. */
export function isVoid(server: string, { manifest, signed }: Accepted, view: View): boolean {
  const { namespace } = parseServerName(server)
  const lists = [view.revocations, view.tombstones, ...(view.denials ? [view.denials] : [])]
  return lists.some((list) => {
    const end = signed === undefined ? undefined : keyInvalidFrom(list, namespace, signed.kid)
    return list.manifests.has(manifest) || (end !== undefined && (signed?.index ?? 0) >= end)
  })
}

/** What is remembered of a server in a slot; of the slot itself with an empty name. */
export async function readServer(
  { memory, identity }: ReviewPorts,
  server: string,
  slot: string,
): Promise<ServerMemory> {
  return (await memory.readServer({ identity, server, slot })) ?? EMPTY_SERVER_MEMORY
}

/** Whether anything of a server that somebody signed ever went on here: whole lists, or what a version held of others. */
export function isInUse({ accepted, used = [] }: ServerMemory): boolean {
  return accepted.length > 0 || used.length > 0
}

/** Which variants of an item were accepted in this slot; undefined when it was never seen. */
export function seenVariants({ seen, variants }: ServerMemory, label: string): readonly string[] | undefined {
  const last = variants[label]
  return seen?.[label] ?? (last === undefined ? undefined : [last])
}

/** How many live items are exactly what was signed. */
export function countHeld(items: ItemSet, live: LiveList, facts: FactSource): number {
  let held = 0
  for (const item of live.items) {
    const signed = items[item.kind].get(item.name)
    if (signed !== undefined && judgeItem(signed, item.text, facts).code === 'verified') held += 1
  }
  return held
}
