import { spawn, type ChildProcess } from 'node:child_process'

const STOP_STDIN_MS = 2_000
const STOP_TERM_MS = 3_000

/** How a server is started so that {@link stopGroup} ends with it what it started itself: npx adds shells. */
export const OWN_GROUP = { detached: process.platform !== 'win32', windowsHide: true } as const

/** stdin closed -> 2 s -> SIGTERM -> 3 s -> SIGKILL, to the group we made and to nothing else. */
export async function stopGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return
  const ended = new Promise<true>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(true)
    else child.once('exit', () => resolve(true))
  })
  child.stdin?.end()
  if (!(await within(ended, STOP_STDIN_MS))) {
    signalGroup(child, 'SIGTERM')
    if (!(await within(ended, STOP_TERM_MS))) signalGroup(child, 'SIGKILL')
    await within(ended, STOP_TERM_MS)
  }
  signalGroup(child, 'SIGKILL') // what outlives its leader
  child.stdout?.destroy()
  child.stderr?.destroy()
}

/** Whether it ended before this many milliseconds passed. */
export function within(ended: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms)
    void ended.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}

export function signalGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return
  if (process.platform === 'win32') {
    killTree(child)
    return
  }
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    // Darwin answers EPERM for a group of which only zombies are left.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ESRCH' && code !== 'EPERM') throw error
  }
}

/** Windows knows no groups and no polite signal: the tree goes at once, as long as its root is there. */
function killTree(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return
  spawn('taskkill', ['/pid', String(child.pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true }).on(
    'error',
    () => child.kill(),
  )
}
