import { HttpProblem } from './problems.js'

/** Bytes of bodies that may be here at once, from their announcement to their answer. */
export interface RoomSize {
  readonly all: number
  /** Of one account, or of one address where no account is known. */
  readonly each: number
}

export interface Room {
  /** Takes the room, or refuses; what it returns gives the room back, once. */
  enter(key: string, bytes: number): () => void
}

/** A largest envelope is in memory several times over while it waits for the log: ten of them, four of one account. */
export const DEFAULT_ROOM: RoomSize = { all: 64 * 1024 * 1024, each: 24 * 1024 * 1024 }

/** What is sent without a token is small: a report, a one-time password. */
export const STRANGERS_ROOM: RoomSize = { all: 8 * 1024 * 1024, each: 1024 * 1024 }

/**
 * Memory is bounded where bytes come in: the log's queue counts candidates, and a thousand of the largest ones would
 * not fit.
 */
export function openRoom({ all, each }: RoomSize): Room {
  const taken = new Map<string, number>()
  let total = 0
  const add = (key: string, bytes: number): void => {
    total += bytes
    const own = (taken.get(key) ?? 0) + bytes
    if (own === 0) taken.delete(key)
    else taken.set(key, own)
  }
  return {
    enter(key, bytes) {
      if ((taken.get(key) ?? 0) + bytes > each) {
        throw new HttpProblem('rate-limited', 'too many large bodies at once', { 'Retry-After': '1' })
      }
      if (total + bytes > all) {
        throw new HttpProblem('unavailable', 'too many large bodies are here already', { 'Retry-After': '2' })
      }
      add(key, bytes)
      let left = false
      return () => {
        if (!left) add(key, -bytes)
        left = true
      }
    },
  }
}
