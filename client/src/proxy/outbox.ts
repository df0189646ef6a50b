/** Messages that may wait for a reader that does not read; beyond it the connection is given up. */
export const MAX_WAITING = 10_000

/**
 * Sends one message after the other, each when the pipe took the one before: a slow reader is waited for, and one that
 * never reads does not fill the memory.
 */
export class Outbox {
  readonly #send: (message: object) => Promise<void>
  readonly #onFailure: (error: Error) => void
  readonly #waiting: object[] = []
  #sending = false
  #failed = false

  constructor(send: (message: object) => Promise<void>, onFailure: (error: Error) => void) {
    this.#send = send
    this.#onFailure = onFailure
  }

  push(message: object): void {
    if (this.#failed) return
    this.#waiting.push(message)
    if (this.#waiting.length > MAX_WAITING) this.#fail(new Error(`${MAX_WAITING} messages wait to be read`))
    else if (!this.#sending) void this.#drain()
  }

  async #drain(): Promise<void> {
    this.#sending = true
    try {
      for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
        await this.#send(message)
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.#sending = false
    }
  }

  #fail(error: Error): void {
    if (this.#failed) return
    this.#failed = true
    this.#waiting.length = 0
    this.#onFailure(error)
  }
}
