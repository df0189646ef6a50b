import { setTimeout as sleep } from 'node:timers/promises'
import type { RecordsProblem } from './options.js'
import { MAX_LINE_BYTES } from './record.js'
import type { LineSink } from './sink.js'

/** How long a line may wait for others: what a guard that is killed loses at most. */
const GATHERING_MS = 25
const FIRST_RETRY_MS = 125
const LAST_RETRY_MS = 30_000

export interface WriterOptions {
  readonly sink: LineSink
  readonly maxWaiting: number
  readonly maxWaitingBytes: number
  /** The line that stands where records are missing. */
  readonly formatDropped: (count: number, since: number) => string
  readonly onProblem: (problem: RecordsProblem) => void
  readonly now: () => number
}

/** Lines that could not wait, since the last line that says so. */
interface Gap {
  count: number
  readonly since: number
}

/**
 * Lines on their way to a sink, which may be slow, full or gone: a bounded number of them waits, what comes beyond it is
 * counted, and the count is written where those lines would have stood. Nobody waits for any of it.
 */
export class RecordWriter {
  readonly #options: WriterOptions
  #waiting: string[] = []
  #bytes = 0
  #gap: Gap | undefined
  /** Since writing went wrong, over all gaps. */
  #lost = 0
  #lostBefore = 0
  #running: Promise<void> | undefined
  #failing = false
  #dropping = false
  readonly #hurry = new AbortController()
  #isClosed = false
  #taken = 0
  #written = 0
  /** Which of the lines taken say that others are missing, as far as they wait: nobody misses those. */
  #gapLines: number[] = []

  constructor(options: WriterOptions) {
    this.#options = options
  }

  push(line: string): void {
    if (this.#isClosed || !this.#hasRoom(line)) {
      this.#drop()
      return
    }
    this.#closeGap()
    this.#add(line)
  }

  /** @returns how many lines were lost, over all */
  async close(withinMs: number): Promise<number> {
    if (!this.#isClosed) await this.#finish(withinMs)
    return this.#lost + this.#waiting.length - this.#gapLines.length
  }

  async #finish(withinMs: number): Promise<void> {
    this.#closeGap()
    this.#isClosed = true
    this.#hurry.abort()
    const { sink } = this.#options
    const patience = new AbortController()
    const tooLate = sleep(withinMs, undefined, { signal: patience.signal }).catch(() => undefined)
    const written = this.#running ?? Promise.resolve()
    await Promise.race([written, tooLate])
    // Also under a write that does not end: what it belongs to is given up.
    const closed = sink.close().catch(() => undefined)
    await Promise.race([closed, tooLate])
    patience.abort()
  }

  #hasRoom(line: string): boolean {
    const { maxWaiting, maxWaitingBytes } = this.#options
    // One more may be needed for the gap.
    return this.#waiting.length + 2 <= maxWaiting && this.#bytes + line.length <= maxWaitingBytes
  }

  #add(line: string): void {
    this.#taken++
    this.#waiting.push(line)
    this.#bytes += line.length
    this.#running ??= this.#drain()
  }

  #drop(): void {
    this.#lost++
    this.#gap ??= { count: 0, since: this.#options.now() }
    this.#gap.count++
    if (this.#dropping) return
    this.#dropping = true
    this.#options.onProblem({ type: 'dropping' })
  }

  /** Says how much is missing, before what comes next. */
  #closeGap(): void {
    if (this.#gap === undefined) return
    const { count, since } = this.#gap
    this.#gap = undefined
    this.#gapLines.push(this.#taken)
    this.#add(this.#options.formatDropped(count, since))
  }

  async #drain(): Promise<void> {
    // What is pushed within a moment goes together: a call does not wait behind the write of the one before it.
    await this.#rest(GATHERING_MS)
    let pause = FIRST_RETRY_MS
    while (this.#waiting.length > 0) {
      if (await this.#writeSome()) pause = FIRST_RETRY_MS
      else if (this.#isClosed) break
      else await this.#rest((pause = Math.min(pause * 2, LAST_RETRY_MS)))
    }
    // In the same turn as the last look: a line pushed after it starts anew.
    this.#running = undefined
  }

  /** @returns whether anything was written */
  async #writeSome(): Promise<boolean> {
    let written = 0
    try {
      written = await this.#options.sink.append(this.#batch())
      if (written === 0) this.#fail('EAGAIN')
    } catch (error) {
      this.#fail(codeOf(error))
    }
    for (const line of this.#waiting.splice(0, written)) this.#bytes -= line.length
    this.#written += written
    this.#gapLines = this.#gapLines.filter((at) => at >= this.#written)
    if (written > 0) this.#recover()
    return written > 0
  }

  #batch(): string[] {
    let size = 0
    const end = this.#waiting.findIndex((line) => (size += Buffer.byteLength(line)) > MAX_LINE_BYTES)
    return this.#waiting.slice(0, end === -1 ? undefined : Math.max(1, end))
  }

  #fail(code: string): void {
    if (this.#failing) return
    this.#failing = true
    this.#options.onProblem({ type: 'failing', code })
  }

  #recover(): void {
    // With nothing waiting there is room to say what is missing, also when no record comes for hours.
    if (this.#waiting.length === 0) this.#closeGap()
    if ((!this.#failing && !this.#dropping) || this.#gap !== undefined) return
    this.#failing = this.#dropping = false
    this.#options.onProblem({ type: 'recovered', dropped: this.#lost - this.#lostBefore })
    this.#lostBefore = this.#lost
  }

  /** Until the next attempt, or until there is no time left for more than one. */
  async #rest(ms: number): Promise<void> {
    const { signal } = this.#hurry
    await sleep(ms, undefined, { signal, ref: false }).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }
}

function codeOf(error: unknown): string {
  const { code, detail } = error as { code?: unknown; detail?: { code?: unknown } }
  // Errors of the file system come wrapped; what they were is what explains them.
  const known = code === 'io' ? detail?.code : code
  return typeof known === 'string' ? known : 'failed'
}
