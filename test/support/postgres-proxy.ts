import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** What stands between a store and its server, and fails in whatever way a test wants. */
export interface Proxy {
  readonly url: string
  /**
   * The next connection whose words hold this text is cut: before the server gets them, or once the server has
   * answered them, with the answer lost. Resolves when it happened.
   */
  cutAt(text: string, when: 'before' | 'after'): Promise<void>
  /** Cuts every connection whose words hold this text, from now on. */
  refuse(text: string): void
  cutAll(): void
  /** Cuts every connection, and every new one. */
  block(): void
  /** Connections are taken, and nothing is ever answered. */
  mute(): void
  /** What is connected stays connected, and nothing more of it is read. */
  freeze(): void
  unblock(): void
  stop(): Promise<void>
}

interface Trap {
  readonly text: string
  readonly when: 'before' | 'after'
  readonly sprung: () => void
}

type Mode = 'open' | 'blocked' | 'mute'

/** In front of the server of this URL, on loopback. */
export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const traps: Traps = { once: undefined, always: undefined }
  let mode: Mode = 'open'
  const server = createServer((inner) => {
    keep(inner, sockets)
    if (mode === 'blocked') inner.destroy()
    if (mode !== 'open') return
    const outer = connect(Number(port), hostname)
    keep(outer, sockets)
    tie(inner, outer, (chunk) => takeTrap(traps, chunk))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.href,
    cutAll,
    cutAt: (text, when) => new Promise((sprung) => (traps.once = { text, when, sprung })),
    refuse: (text) => (traps.always = { text, when: 'before', sprung: () => undefined }),
    block: () => {
      mode = 'blocked'
      cutAll()
    },
    mute: () => (mode = 'mute'),
    freeze: () => {
      for (const socket of sockets) socket.pause()
    },
    unblock: () => (mode = 'open'),
    stop: async () => {
      cutAll()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Traps {
  once: Trap | undefined
  always: Trap | undefined
}

function takeTrap(traps: Traps, chunk: Buffer): Trap | undefined {
  if (traps.always !== undefined && chunk.includes(traps.always.text)) return traps.always
  if (traps.once === undefined || !chunk.includes(traps.once.text)) return undefined
  const taken = traps.once
  traps.once = undefined
  return taken
}

function keep(socket: Socket, sockets: Set<Socket>): void {
  sockets.add(socket)
  socket.on('error', () => undefined)
  socket.on('close', () => sockets.delete(socket))
}

/** Passes on what each says to the other, until one of them ends or the trap springs. */
function tie(inner: Socket, outer: Socket, take: (chunk: Buffer) => Trap | undefined): void {
  let sprung: Trap | undefined
  const cut = (): void => {
    inner.destroy()
    outer.destroy()
    sprung?.sprung()
  }
  inner.on('data', (chunk: Buffer) => {
    sprung ??= take(chunk)
    if (sprung?.when === 'before') cut()
    else outer.write(chunk)
  })
  outer.on('data', (chunk: Buffer) => {
    if (sprung === undefined) inner.write(chunk)
    else cut()
  })
  inner.on('close', cut)
  outer.on('close', cut)
}
