import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Config } from '../config.js'

/** A bound address that answers 503 until it is given an app. */
export interface Listener {
  /** What was bound, as a URL: with port 0, the port the system chose. */
  readonly url: string
  readonly serve: (app: RequestListener) => void
  /** Takes nothing new, lets running requests end for `graceMs`, then cuts them. */
  readonly close: (graceMs?: number) => Promise<void>
}

const MAX_HEADERS = 64

/** How long senders and readers may take, in milliseconds. */
export interface Patience {
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number
  /** To the end of its body. */
  readonly requestMs: number
  /** Without a byte in either direction. */
  readonly stallMs: number
  /** Between two looks at who is late. */
  readonly lookMs: number
}

const PATIENCE: Patience = { headersMs: 10_000, requestMs: 60_000, stallMs: 60_000, lookMs: 5_000 }

/** Binds first and builds later: a port that is taken is found before anything is generated or shown once. */
export async function openListener(
  listen: Config['listen'],
  patience: Partial<Patience> = {},
): Promise<Listener> {
  const { headersMs, requestMs, stallMs, lookMs } = { ...PATIENCE, ...patience }
  let app: RequestListener = (_req, res) => {
    res.writeHead(503, { 'Retry-After': '1' }).end()
  }
  let isClosing = false
  const running = new Set<ServerResponse>()
  const sockets = new Set<Socket>()
  const server = createServer(
    {
      // Slow senders lose their connection, whatever they send.
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: 15_000,
      connectionsCheckingInterval: lookMs,
      maxHeaderSize: 16_384,
    },
    (req, res) => {
      if (isClosing) endWith(res)
      if (hasTooMany(req)) res.writeHead(431, { Connection: 'close' }).end()
      else app(req, res)
      // An answer that left at once, as finished documents do, has said already whether its connection goes on.
      if (res.headersSent) return
      running.add(res)
      res.once('close', () => running.delete(res))
    },
  )
  // So does who asks and does not read: an answer that waits is memory.
  server.timeout = stallMs
  // Node's own limit leaves out what comes behind it, and that is where proxies say whom they speak for: counted here.
  server.maxHeadersCount = 0
  server.maxConnections = 10_000
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(listen.port, listen.host, () => {
      server.off('error', failed)
      listening()
    })
  })
  const { address, port, family } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    serve: (next) => (app = next),
    async close(graceMs = 10_000) {
      isClosing = true
      for (const res of running) endWith(res)
      const cut = setTimeout(() => server.closeAllConnections(), graceMs)
      // A connection that ends its last request turns idle, and would wait for another one, as one does that never had any.
      const sweep = setInterval(() => {
        server.closeIdleConnections()
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
      }, 50)
      await new Promise<void>((closed) => server.close(() => closed()))
      clearTimeout(cut)
      clearInterval(sweep)
    },
  }
}

/** Names and values, one after the other. */
function hasTooMany({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length > 2 * MAX_HEADERS
}

/** Says that the connection ends with this answer: nobody sends another request into one that is being closed. */
function endWith(res: ServerResponse): void {
  if (!res.headersSent) res.shouldKeepAlive = false
}
