import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config } from '../config.js'

/** A bound address that answers 503 until it is given an app. */
export interface Listener {
  /** What was bound, as a URL: with port 0, the port the system chose. */
  readonly url: string
  readonly serve: (app: RequestListener) => void
  /** Takes nothing new, lets running requests end for `graceMs`, then cuts them. */
  readonly close: (graceMs?: number) => Promise<void>
}

/** Binds first and builds later: a port that is taken is found before anything is generated or shown once. */
export async function openListener(listen: Config['listen'], stallMs = 60_000): Promise<Listener> {
  let app: RequestListener = (_req, res) => {
    res.writeHead(503, { 'Retry-After': '1' }).end()
  }
  let isClosing = false
  const running = new Set<ServerResponse>()
  const server = createServer(
    {
      // Slow senders lose their connection, whatever they send.
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      keepAliveTimeout: 15_000,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: 16_384,
    },
    (req, res) => {
      running.add(res)
      res.once('close', () => running.delete(res))
      if (isClosing) endWith(res)
      app(req, res)
    },
  )
  // So does who asks and does not read: an answer that waits is memory.
  server.timeout = stallMs
  server.maxHeadersCount = 64
  server.maxConnections = 10_000
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
      // A connection that ends its last request turns idle, and would wait for another one.
      const sweep = setInterval(() => server.closeIdleConnections(), 50)
      await new Promise<void>((closed) => server.close(() => closed()))
      clearTimeout(cut)
      clearInterval(sweep)
    },
  }
}

/** Says that the connection ends with this answer: nobody sends another request into one that is being closed. */
function endWith(res: ServerResponse): void {
  if (!res.headersSent) res.shouldKeepAlive = false
}
