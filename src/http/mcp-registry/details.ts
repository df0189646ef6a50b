import type { Logger } from 'pino'
import { ZodError } from 'zod'
import type { Digest, Manifest } from 'countersign/core'
import type { Store } from '../../storage/store.js'
import { serverDetailOf } from './detail.js'
import type { ServerDetail } from './server-json.js'

/** Bytes that one answer may have read and parsed, or send once more; what one manifest has is always allowed. */
export interface Budget {
  bytes: number
}

export interface Details {
  /**
   * server.json of a manifest; undefined when it has none, which is logged once. `spent` when the budget is: then it was
   * not looked at.
   */
  of(manifest: Digest, budget: Budget): Promise<ServerDetail | undefined | 'spent'>
}

const MAX_KEPT_BYTES = 32 * 1024 * 1024
/** Of the map itself, so that many that have none are bounded as well. */
const ENTRY_BYTES = 512

interface Kept {
  readonly detail: ServerDetail | undefined
  readonly bytes: number
}

/** What a manifest says never changes, so that each is read once while there is room for it. */
export function openDetails(store: Pick<Store, 'readManifest'>, log: Logger): Details {
  const kept = new Map<Digest, Kept>()
  let bytes = 0
  let leftOut = 0

  const keep = (digest: Digest, detail: ServerDetail | undefined): void => {
    const size = ENTRY_BYTES + (detail === undefined ? 0 : JSON.stringify(detail).length)
    bytes += size - (kept.get(digest)?.bytes ?? 0)
    kept.delete(digest)
    kept.set(digest, { detail, bytes: size })
    for (const [oldest, { bytes: freed }] of kept) {
      if (bytes <= MAX_KEPT_BYTES) break
      kept.delete(oldest)
      bytes -= freed
    }
  }

  const make = (digest: Digest, envelope: string): ServerDetail | undefined => {
    try {
      return serverDetailOf(payloadOf(envelope))
    } catch (cause) {
      if (!(cause instanceof ZodError)) throw cause
      leftOut += 1
      const places = cause.issues.slice(0, 8).map(({ path }) => path.join('/'))
      log.warn(
        { manifest: digest, places, leftOut },
        'this version fits no server.json and is in no catalogue',
      )
      return undefined
    }
  }

  return {
    async of(digest, budget) {
      const found = kept.get(digest)
      if (found !== undefined) {
        kept.delete(digest)
        kept.set(digest, found)
        budget.bytes -= found.bytes
        return found.detail
      }
      if (budget.bytes <= 0) return 'spent'
      const row = await store.readManifest(digest)
      if (row === undefined) return undefined
      budget.bytes -= row.envelope.length
      const detail = make(digest, row.envelope)
      keep(digest, detail)
      return detail
    },
  }
}

/** Of an envelope that was verified, and whose payload was parsed strictly, before it was stored. */
function payloadOf(envelope: string): Manifest {
  const payload = Buffer.from(envelope.split('.')[1] ?? '', 'base64url').toString('utf8')
  return JSON.parse(payload) as Manifest
}
