/** How long those that come second may take once the quorum is met. */
const GRACE_MS = 50

/** The time in which witnesses answer for one call. */
export interface Round {
  /** Something came in: is it enough, or all over? */
  look(isOver?: boolean): void
  /** Resolves when all have answered, shortly after it was enough, when it is over, or when the time is up. */
  ends(all: readonly Promise<unknown>[]): Promise<void>
}

export function openRound(isEnough: () => boolean, timeoutMs: number): Round {
  let end = (): void => undefined
  const ended = new Promise<void>((resolve) => (end = resolve))
  let timer = setTimeout(end, timeoutMs)
  let isClosing = false

  const look = (isOver = false): void => {
    if (isOver) end()
    if (isOver || isClosing || !isEnough()) return
    isClosing = true
    clearTimeout(timer)
    timer = setTimeout(end, Math.min(GRACE_MS, timeoutMs))
  }

  const ends = async (all: readonly Promise<unknown>[]): Promise<void> => {
    look()
    void Promise.all(all).then(end)
    await ended
    isClosing = true
    clearTimeout(timer)
  }
  return { look, ends }
}
