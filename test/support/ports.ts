import { createServer } from 'node:net'

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
