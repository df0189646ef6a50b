import type { JsonObject } from '../core/index.js'
import type { Review } from '../review.js'
import type { Connection } from './options.js'
import { RECORD_VERSION, type RecordHead } from './record.js'
import { cut, redactUri } from './redact.js'
import { agentOf, conversationOf } from './trace.js'

/** Which server a connection turned out to lead to, as of its last listing. */
type Speaker = Pick<RecordHead, 'server' | 'version' | 'manifest'>

const MAX_SLOT = 1024

/** What every record of one connection begins with. */
export class Heads {
  readonly #about: Connection & { readonly session: string }
  readonly #now: () => number
  #speaker: Speaker = {}

  constructor(about: Connection & { readonly session: string }, now: () => number) {
    this.#about = about
    this.#now = now
  }

  /** From here on records name what this review found. */
  see({ manifest }: Review): void {
    this.#speaker =
      manifest === undefined
        ? {}
        : { server: manifest.server, version: manifest.version, manifest: manifest.digest }
  }

  /** `manifest`: the one a call was allowed by, where the newest listing may have another. */
  of(meta?: JsonObject, manifest?: string): RecordHead {
    const { slot, session } = this.#about
    const agent = this.#about.agent ?? agentOf(meta)
    const conversation = this.#about.conversation ?? conversationOf(meta)
    const isOther = manifest !== undefined && manifest !== this.#speaker.manifest
    return {
      v: RECORD_VERSION,
      time: new Date(this.#now()).toISOString(),
      session,
      ...(agent !== undefined && { agent: cut(agent) }),
      ...(conversation !== undefined && { conversation: cut(conversation) }),
      slot: slotText(slot),
      ...(isOther ? { manifest } : this.#speaker),
    }
  }
}

/** A launch is written as it is; of a URL, what may be a secret is not. */
function slotText(slot: string): string {
  return /^https?:\/\/\S*$/i.test(slot) ? redactUri(slot, MAX_SLOT) : cut(slot, MAX_SLOT)
}
