import { OutsideError, type Outside } from '../../net/outside.js'

/** The way to the witnesses, until somebody hangs up. */
export interface Line {
  readonly outside: Outside
  /** Gives up what is on its way, and whatever would follow: a witness that never answers keeps no process alive. */
  readonly hangUp: () => void
}

export function openLine(outside: Outside): Line {
  const running = new Set<AbortController>()
  let isOver = false
  return {
    outside: {
      ...outside,
      request: async (url, options) => {
        if (isOver) throw new OutsideError('unreachable', 'the line is closed')
        const control = new AbortController()
        running.add(control)
        try {
          return await outside.request(url, { ...options, signal: control.signal })
        } finally {
          running.delete(control)
        }
      },
    },
    hangUp: () => {
      isOver = true
      for (const control of running) control.abort()
    },
  }
}
