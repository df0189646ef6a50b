import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CountersignError } from '../core/index.js'
import { answer, FAILED, send } from './routes.js'
import type { Witness } from './witness.js'

/** What strangers may take up. Milliseconds. */
export interface HttpLimits {
  /** For the headers, and again for the whole request. */
  readonly requestMs: number
  /** A connection on which nothing moves. */
  readonly idleMs: number
  readonly connections: number
  /** How often overdue requests are looked for. */
  readonly checkMs: number
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  requestMs: 10_000,
  idleMs: 20_000,
  connections: 1024,
  checkMs: 2000,
}

export interface WitnessServer {
  readonly url: string
  /** Takes nothing new, lets running requests end for `graceMs`, then cuts them. */
  close(graceMs?: number): Promise<void>
}

export interface ServerOptions {
  readonly host: string
  readonly port: number
  readonly limits: HttpLimits
  /** Told of what is no refusal: the witness must stop. */
  readonly onFailure: (error: unknown) => void
}

/** @throws CountersignError `io` when the address cannot be bound */
export async function openServer(
  witness: Witness,
  name: string,
  options: ServerOptions,
): Promise<WitnessServer> {
  const { host, port, limits, onFailure } = options
  const server = createServer(
    {
      headersTimeout: limits.requestMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: limits.checkMs,
      maxHeaderSize: 16_384,
    },
    (req, res) => {
      answer(witness, name, req, res).catch((error: unknown) => {
        send(res, FAILED)
        onFailure(error)
      })
    },
  )
  // Who connects and says nothing, or asks and does not read, loses the connection as well.
  server.timeout = limits.idleMs
  server.maxHeadersCount = 64
  server.maxConnections = limits.connections
  await listen(server, host, port)
  return { url: urlOf(server), close: (graceMs = 5000) => closeServer(server, graceMs) }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((listening, failed) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const code = cause.code ?? 'unknown'
      failed(new CountersignError('io', `cannot listen on ${host}:${port}: ${code}`, { code }, { cause }))
    })
    server.listen(port, host, listening)
  })
}

function urlOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

async function closeServer(server: Server, graceMs: number): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), graceMs)
  // A connection that ends its last request turns idle, and would wait for another one.
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  await new Promise<void>((closed) => server.close(() => closed()))
  clearTimeout(cut)
  clearInterval(sweep)
}
