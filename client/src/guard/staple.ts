import { isJsonObject, isDigest, type JsonObject } from '../core/index.js'
import type { GuardListener } from './events.js'
import { OWN_META_KEY } from './rewrite.js'

const MAX_TOLD = 16

/** Says what a server staples to its answers, each thing once: a hint where evidence may be found, and never evidence. */
export class Staples {
  readonly #emit: GuardListener
  readonly #told = new Set<string>()

  constructor(emit: GuardListener) {
    this.#emit = emit
  }

  /** Of the result of a handshake or of the first page of a list. */
  note({ _meta: meta, capabilities }: JsonObject): void {
    const extensions = isJsonObject(capabilities) ? capabilities['extensions'] : undefined
    for (const place of [meta, extensions]) {
      if (isJsonObject(place) && Object.hasOwn(place, OWN_META_KEY)) this.#tell(place[OWN_META_KEY])
    }
  }

  #tell(staple: unknown): void {
    const digest = isJsonObject(staple) ? staple['digest'] : undefined
    const manifest = typeof digest === 'string' && isDigest(digest) ? digest : undefined
    const mark = manifest ?? ''
    if (this.#told.has(mark) || this.#told.size >= MAX_TOLD) return
    this.#told.add(mark)
    this.#emit({ type: 'stapled', ...(manifest !== undefined && { manifest }) })
  }
}
