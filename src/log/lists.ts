import { setImmediate } from 'node:timers/promises'
import { formatRevocations } from 'countersign/core'
import type { Store } from '../storage/store.js'

/** How many lines are written down before the process may turn to something else: about a millisecond. */
const LINES_A_TURN = 2048

/**
 * The documents of revocation lists that snapshots named, by their roots. One at a time, and each once for all who ask
 * for it meanwhile: a long list is ten megabytes and its lines are several times that, and after a revocation every host
 * there is asks for the same one.
 */
export function openRevocationLists(
  store: Pick<Store, 'readRevocationList'>,
): (rootHex: string) => Promise<Uint8Array | undefined> {
  const making = new Map<string, Promise<Uint8Array | undefined>>()
  let lane: Promise<unknown> = Promise.resolve()
  const inTurn = (rootHex: string): Promise<Uint8Array | undefined> => {
    const made = lane.then(() => makeList(store, rootHex)).finally(() => making.delete(rootHex))
    lane = made.catch(() => undefined)
    return made
  }
  return async (rootHex) => {
    if (!/^[0-9a-f]{64}$/.test(rootHex)) return undefined
    const mine = making.get(rootHex) ?? inTurn(rootHex)
    making.set(rootHex, mine)
    return mine
  }
}

async function makeList(
  store: Pick<Store, 'readRevocationList'>,
  rootHex: string,
): Promise<Uint8Array | undefined> {
  const lines = await store.readRevocationList(rootHex)
  if (lines === undefined) return undefined
  const parts: Uint8Array[] = []
  for (let at = 0; at < lines.length; at += LINES_A_TURN) {
    parts.push(formatRevocations(lines.slice(at, at + LINES_A_TURN)))
    await setImmediate()
  }
  return Buffer.concat(parts)
}
