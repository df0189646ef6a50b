interface Waiter {
  readonly position: number
  readonly settle: (isPublished: boolean) => void
  readonly reject: (error: Error) => void
}

/** Those who were given a position and wait until it is published, each no longer than the time allowed. */
export class Waiters {
  readonly #waiting = new Set<Waiter>()
  readonly #waitMs: number

  constructor(waitMs: number) {
    this.#waitMs = waitMs
  }

  get size(): number {
    return this.#waiting.size
  }

  /** True as soon as the position is published, false when the time is up. */
  wait(position: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => waiter.settle(false), this.#waitMs).unref()
      const leave = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(waiter)
      }
      const waiter: Waiter = {
        position,
        settle: (isPublished) => {
          leave()
          resolve(isPublished)
        },
        reject: (error) => {
          leave()
          reject(error)
        },
      }
      this.#waiting.add(waiter)
    })
  }

  /** Positions below `end` are published. */
  publish(end: number): void {
    for (const waiter of this.#waiting) if (waiter.position < end) waiter.settle(true)
  }

  /** Nothing more will be published by this process. */
  release(): void {
    for (const waiter of this.#waiting) waiter.settle(false)
  }

  fail(error: Error): void {
    for (const waiter of this.#waiting) waiter.reject(error)
  }
}
