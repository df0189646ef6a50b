import { Worker } from 'node:worker_threads'
import { JudgeUnavailable } from './errors.js'
import { judgeBy, type Judge } from './judge.js'
import { openLine, type Job, type Line, type LineLimits } from './line.js'
import { READY, valueOf, type Answer, type Asked } from './wire.js'
import { openWork, type Task, type Value, type Work } from './work.js'

export interface ThreadOptions {
  readonly log: { warn(fields: object, message: string): void }
  /** Milliseconds for one task, from when the one before it was done. */
  readonly timeLimitMs?: number
  readonly limits?: LineLimits
  /** What the thread runs: a module as this room's `worker-main` is. */
  readonly module?: URL
  /** Does what no thread could do. */
  readonly inline?: Work
}

const TIME_LIMIT_MS = 20_000
const LIMITS: LineLimits = { tasks: 1024, characters: 128 * 1024 * 1024 }

/** The build's, also for sources that run as they are: both rooms are two folders below the same root. */
const MODULE = new URL('../../dist/judge/worker-main.js', import.meta.url)

/** Threads that end before they are ready, one after the other, until tasks are done without one for a while. */
const STARTS = 2
const REST_MS = 60_000

/** A judge in a thread of its own, which starts with the first task and never keeps the process alive. */
export function openJudge(options: ThreadOptions): Judge {
  const thread = new JudgeThread(options)
  return judgeBy(
    (task, size) => thread.run(task, size),
    () => thread.close(),
  )
}

/**
 * One thread, and the tasks that were given to it. A thread that ends is followed by another one, which does what was left
 * of its tasks. The task that two of them ended at is done here, as are all of them where no thread can be started: there
 * is always an answer, and it is always the same.
 */
class JudgeThread {
  readonly #options: ThreadOptions
  readonly #line: Line
  readonly #inline: Work
  #worker: Worker | undefined
  #clock: NodeJS.Timeout | undefined
  #isReady = false
  #failedStarts = 0
  #restsUntil = 0
  #isClosed = false

  constructor(options: ThreadOptions) {
    this.#options = options
    this.#line = openLine(options.limits ?? LIMITS)
    this.#inline = options.inline ?? openWork()
  }

  run(task: Task, size: number): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw closed()
      const settle = (outcome: () => Value): void => {
        try {
          resolve(outcome())
        } catch (cause) {
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as it was thrown
          reject(cause)
        }
      }
      const job = this.#line.add(task, size, settle)
      if (this.#rests()) this.#doHere(job)
      else this.#give(job)
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const { id } of this.#line.all()) this.#settle(id, fails(closed()))
    await this.#leave()?.terminate()
  }

  #give(job: Job): void {
    if (this.#line.first() === job) this.#startClock(job)
    this.#worker ??= this.#start()
    this.#worker?.postMessage({ id: job.id, task: job.task } satisfies Asked)
  }

  /** Nothing of the process's environment is its business. */
  #start(): Worker | undefined {
    this.#isReady = false
    let why: unknown
    try {
      const worker = new Worker(this.#options.module ?? MODULE, { execArgv: [], env: {}, name: 'judge' })
      worker.on('message', (answer: Answer | typeof READY) => this.#receive(worker, answer))
      worker.on('messageerror', (cause) => {
        why = cause
        this.#end(worker)
      })
      worker.on('error', (cause) => (why = cause))
      worker.on('exit', (code) => this.#follow(worker, why ?? new Error(`it ended with ${code}`)))
      worker.unref()
      return worker
    } catch (cause) {
      setImmediate(() => this.#follow(undefined, cause))
      return undefined
    }
  }

  #receive(worker: Worker, answer: Answer | typeof READY): void {
    if (worker !== this.#worker) return
    this.#isReady = true
    this.#failedStarts = 0
    if (answer === READY) return
    this.#settle(answer.id, () => valueOf(answer))
    this.#startClock(this.#line.first())
  }

  #settle(id: number, outcome: () => Value): void {
    this.#line.take(id)?.settle(outcome)
  }

  /** The one that ended did the first of its tasks; all others only waited. */
  #follow(worker: Worker | undefined, err: unknown): void {
    if (worker !== this.#worker || this.#isClosed) return
    if (!this.#isReady) this.#failedStarts += 1
    this.#leave()
    this.#options.log.warn({ err }, 'the thread that judges manifests has ended')
    const first = this.#line.first()
    if (first !== undefined) first.deaths += 1
    if (this.#failedStarts >= STARTS) {
      this.#rest()
      return
    }
    if (first !== undefined && first.deaths > 1) this.#doHere(first)
    this.#goOn()
  }

  #rest(): void {
    this.#failedStarts = 0
    this.#restsUntil = performance.now() + REST_MS
    // One at a time: whoever else waits for this thread is answered between them.
    for (const job of this.#line.all()) setImmediate(() => this.#doHere(job))
  }

  #rests(): boolean {
    return performance.now() < this.#restsUntil
  }

  #doHere(job: Job): void {
    this.#options.log.warn({ kind: job.task.kind, size: job.size }, 'judged without a thread of its own')
    this.#settle(job.id, () => this.#inline(job.task))
  }

  /** A thread of nobody's any more: what it still says is not heard. */
  #leave(): Worker | undefined {
    const worker = this.#worker
    this.#worker = undefined
    clearTimeout(this.#clock)
    return worker
  }

  #end(worker: Worker): void {
    worker.terminate().catch((err: unknown) => this.#options.log.warn({ err }, 'a thread could not be ended'))
  }

  #goOn(): void {
    for (const job of this.#line.all()) this.#give(job)
  }

  #startClock(job: Job | undefined): void {
    clearTimeout(this.#clock)
    if (job === undefined) return
    // Its answer may have come while this thread was busy: that is read before what is set for immediately after.
    const late = (): void => void setImmediate(() => this.#stop(job))
    this.#clock = setTimeout(late, this.#options.timeLimitMs ?? TIME_LIMIT_MS).unref()
  }

  #stop(job: Job): void {
    if (this.#line.first() !== job) return
    this.#options.log.warn({ kind: job.task.kind, size: job.size }, 'a manifest took too long to judge')
    const worker = this.#leave()
    if (worker !== undefined) this.#end(worker)
    this.#settle(job.id, fails(new JudgeUnavailable('judge-overdue', 'it takes too long to judge')))
    this.#goOn()
  }
}

function fails(error: JudgeUnavailable): () => never {
  return () => {
    throw error
  }
}

function closed(): JudgeUnavailable {
  return new JudgeUnavailable('judge-closed', 'no manifest is judged any more')
}
