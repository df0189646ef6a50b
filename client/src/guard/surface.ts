import { CountersignError, refuse, type ErrorDetail, type VerdictCode } from '../core/index.js'
import type { Review } from '../review.js'
import { isVerdict } from '../verdict.js'
import type { GuardEvent } from './events.js'
import { makeOffer, type Offer } from './offer.js'
import { ListingError, type ListSpec, type Walked } from './walk.js'

/** One verified list, and the moment of the server it belongs to. */
export interface Verified {
  readonly generation: number
  readonly walked: Walked
  readonly review: Review
  readonly offer: Offer
  readonly at: Moment
}

/** Milliseconds by both clocks: the wall's can be set back, and the monotonic one may stand while a machine sleeps. */
interface Moment {
  readonly steady: number
  readonly wall: number
}

function thisMoment(): Moment {
  return { steady: performance.now(), wall: Date.now() }
}

function ageOf({ steady, wall }: Moment): number {
  return Math.max(performance.now() - steady, Date.now() - wall)
}

export interface SurfacePorts {
  readonly walk: () => Promise<Walked>
  readonly review: (walked: Walked) => Promise<Review>
  readonly isModern: () => boolean
  readonly emit: (event: GuardEvent) => void
  readonly maxAgeMs: number
  /** What a queued answer could not be sent with; the queue goes on. */
  readonly onError: (error: unknown) => void
}

/** How often a call waits for a list that changes while it is verified. */
const MAX_ROUNDS = 3

/** How many times a server may say that its list changed while the host waits for an answer about it. */
const MAX_NEWS = 1000

/**
 * What the guard knows of one list. Every `list_changed` starts a new generation, and a verdict counts only for the
 * generation in which its walk began: between the two nothing may be used (PROTOCOL 14).
 */
export class Surface {
  readonly list: ListSpec
  readonly #ports: SurfacePorts
  #generation = 0
  #begun = 0
  #adopted = 0
  #verified: Verified | undefined
  #inFlight: { generation: number; done: Promise<Verified> } | undefined
  #queue: Promise<unknown> = Promise.resolve()
  #news = 0

  constructor(list: ListSpec, ports: SurfacePorts) {
    this.list = list
    this.#ports = ports
  }

  /** What was verified last, whatever happened since. */
  get last(): Verified | undefined {
    return this.#verified
  }

  /** Only what counts now: of this generation and young enough. */
  get usable(): Verified | undefined {
    const known = this.#current()
    return known !== undefined && ageOf(known.at) <= this.#ports.maxAgeMs ? known : undefined
  }

  /** Whether the server said nothing of a change since the walk of this verdict began. */
  isNewest({ generation }: Verified): boolean {
    return generation === this.#generation
  }

  freeze(cause: 'server' | 'registry'): void {
    this.#generation++
    this.#ports.emit({ type: 'frozen', list: this.list.kind, cause })
  }

  /** Answers and `list_changed` of one list keep their order; frames of other kinds are never held behind them. */
  enqueue(job: () => Promise<void> | void): void {
    this.#queue = this.#queue.then(job).catch((error: unknown) => this.#ports.onError(error))
  }

  /** {@link enqueue} for what the server itself sets off. False: too much of it waits, and this is dropped. */
  enqueueNews(job: () => void): boolean {
    if (this.#news >= MAX_NEWS) return false
    this.#news++
    this.enqueue(() => {
      this.#news--
      job()
    })
    return true
  }

  /** Walks and verifies now, for a host that lists. */
  verify(): Promise<Verified> {
    const generation = this.#generation
    const done = this.#verifyOnce(generation)
    this.#inFlight = { generation, done }
    return done
  }

  /**
   * What a call may rely on: a verdict of the newest generation, verified here when there is none.
   * @throws CountersignError `frozen` while the server keeps changing; what the verification failed with
   */
  async settle(): Promise<Verified> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const known = this.usable
      if (known !== undefined) return known
      if (this.#current() !== undefined) await this.recheck()
      else await this.#join()
    }
    return this.#current() ?? refuse('frozen', 'the list changes faster than it can be verified')
  }

  /** The same live list against what the registry says now; true when the offer changed. */
  async recheck(): Promise<boolean> {
    const known = this.#current()
    if (known === undefined) return false
    const order = ++this.#begun
    try {
      const next = await this.#judge(known.walked, known.generation, order)
      return next.offer.mark !== known.offer.mark
    } catch (error) {
      // What cannot be verified again is no longer verified.
      if (this.#verified === known) this.#verified = undefined
      throw error
    }
  }

  #current(): Verified | undefined {
    return this.#verified?.generation === this.#generation ? this.#verified : undefined
  }

  #join(): Promise<Verified> {
    const running = this.#inFlight
    return running?.generation === this.#generation ? running.done : this.verify()
  }

  async #verifyOnce(generation: number): Promise<Verified> {
    const order = ++this.#begun
    try {
      return await this.#judge(await this.#ports.walk(), generation, order)
    } catch (error) {
      // The newest listing failed: what an older one said does not speak for the server any more.
      if (order > this.#adopted) {
        this.#adopted = order
        this.#verified = undefined
      }
      const { code, detail } = toVerdict(error)
      this.#ports.emit({ type: 'listing-refused', list: this.list.kind, code, detail })
      throw error
    } finally {
      if (this.#inFlight?.generation === generation) this.#inFlight = undefined
    }
  }

  async #judge(walked: Walked, generation: number, order: number): Promise<Verified> {
    const review = await this.#ports.review(walked)
    const offer = makeOffer(this.list.kind, review, walked, this.#ports.isModern())
    const verified = { generation, walked, review, offer, at: thisMoment() }
    // An older walk that ends later must not replace a newer verdict.
    if (order > this.#adopted) {
      this.#adopted = order
      this.#verified = verified
    }
    this.#ports.emit({ type: 'listed', list: this.list.kind, review, withheld: offer.withheld })
    return verified
  }
}

/** What the host and the events say about a failure: a verdict of the closed list, never the server's own words. */
export function toVerdict(error: unknown): { code: VerdictCode; detail: ErrorDetail } {
  if (error instanceof CountersignError && isVerdict(error.code))
    return { code: error.code, detail: error.detail }
  if (error instanceof CountersignError)
    return { code: 'registry-unreachable', detail: { reason: error.code } }
  if (error instanceof ListingError)
    return { code: 'not-listed', detail: { reason: 'server-error', rpc: error.rpcCode } }
  return { code: 'not-listed', detail: { reason: 'failed' } }
}
