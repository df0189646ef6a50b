import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** Below what systems give to outgoing connections: nothing else takes one of these between the look and its use. */
const [FIRST, COUNT] = [15_000, 16_000]

/** A port on loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const port = FIRST + Math.floor(Math.random() * COUNT)
  const probe = createServer()
  const isFree = await new Promise<boolean>((settle) => {
    probe.once('error', () => settle(false))
    probe.listen(port, '127.0.0.1', () => settle(true))
  })
  if (!isFree) return freePort()
  await new Promise((closed) => probe.close(closed))
  return port
}

const TRIES = 5

/** Opens something on such a port, and on another one when that does not go: somebody else may have been faster. */
export async function onFreePort<T>(open: (port: number) => Promise<T>, tries = TRIES): Promise<T> {
  const port = await freePort()
  try {
    return await open(port)
  } catch (cause) {
    if (tries === 1) throw cause
    return onFreePort(open, tries - 1)
  }
}

const INSISTENCE = 50

/** Tries again and again where it must be this very port: somebody else may have it for a moment. */
export async function insist<T>(open: () => Promise<T>, tries = INSISTENCE): Promise<T> {
  try {
    return await open()
  } catch (cause) {
    if (tries === 1) throw cause
    await wait(200)
    return insist(open, tries - 1)
  }
}
