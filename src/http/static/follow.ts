import { eventTarget, parseEvent } from 'countersign/core'
import type { Ledger } from '../../log/ledger.js'
import type { Store } from '../../storage/store.js'
import { RANGE_LIMIT, readRange } from '../log-range.js'
import type { Cache } from './cache.js'

/** More than this at once, and it is cheaper to make the documents again than to read what happened. */
const MOST_READ = 4 * RANGE_LIMIT

export interface Following {
  /** Whether something may be kept that what is published by now has changed. */
  isBehind(): boolean
  /** When what was published before the call is followed. Never rejects. */
  settled(): Promise<void>
  close(): void
}

/**
 * Forgets documents when what is published changes them, by whichever process: a bundle is another one after its
 * manifest was approved again, or something of it was reinstated.
 */
export function followLog({ ledger, store }: { ledger: Ledger; store: Store }, cache: Cache): Following {
  let end = ledger.publishedEnd()
  let revocations = revocationsOf(ledger)
  let isBehind = false
  let running: Promise<void> | undefined

  const follow = async (to: number): Promise<void> => {
    if (to === end || !cache.holdsTouchable()) return
    if (to - end > MOST_READ) {
      cache.touchAll()
      return
    }
    const touched = await readTargets({ ledger, store }, end, to)
    if (touched.size > 0) cache.touch(touched)
  }
  const catchUp = async (): Promise<void> => {
    while (end !== ledger.publishedEnd()) {
      const to = ledger.publishedEnd()
      // Where the log cannot be read, nothing that it could have changed is kept.
      await follow(to).catch(() => cache.touchAll())
      end = to
    }
    isBehind = false
  }
  const wake = (): void => {
    const root = revocationsOf(ledger)
    // Revoked and reinstated, the list is as it was and the bundle is not: each change counts until it is followed.
    isBehind ||= root !== revocations
    revocations = root
    running ??= catchUp().finally(() => {
      running = undefined
      // It may have moved after the last look and before this line.
      if (end !== ledger.publishedEnd()) wake()
    })
  }
  const unwatch = ledger.watch(wake)
  return {
    isBehind: () => isBehind,
    async settled() {
      // The turn under way may have taken its last look when more came: then the next one follows it.
      while (isBehind && running !== undefined) await running
    },
    close: unwatch,
  }
}

function revocationsOf(ledger: Ledger): string {
  return ledger.publishedSize() === 0 ? '' : ledger.publishedRevocations()
}

/** What the decisions of these positions are about. */
async function readTargets(
  { ledger, store }: { ledger: Ledger; store: Store },
  from: number,
  to: number,
): Promise<Set<string>> {
  const targets = new Set<string>()
  for (let at = from; at < to;) {
    const leaves = await readRange({ ledger, store }, at, to)
    if (leaves.length === 0) throw new Error('the published log ends too early')
    for (const leaf of leaves) {
      const target = decisionTarget(leaf)
      if (target !== undefined) targets.add(target)
    }
    at += leaves.length
  }
  return targets
}

function decisionTarget(leaf: string): string | undefined {
  // Most entries are publications and snapshots. Quotes within a string are escaped: this can only be the member.
  if (!/"t":"(?:approve|reinstate|revoke|withdraw|reject|deprecate)"/.test(leaf)) return undefined
  return eventTarget(parseEvent(leaf))
}
