import { randomBytes } from 'node:crypto'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { refuse } from '../../core/index.js'
import type { Log } from '../target.js'
import { PATH } from './access.js'
import { Endpoint, type EndpointOptions } from './endpoint.js'

export interface GuardServerOptions extends EndpointOptions {
  /** 0: any free one. */
  readonly port: number
  /** What clients send as their bearer token, 32 characters at least; made up when absent. */
  readonly secret?: string
}

export interface GuardServer {
  readonly url: string
  readonly secret: string
  /** Servers behind it at this moment. */
  readonly size: number
  close(): Promise<void>
}

const MIN_SECRET = 32

/**
 * The guard as a Streamable HTTP server for the hosts of this machine: a guarded server for each session of the 2025 era,
 * one for all requests of the 2026 era. Listens on loopback alone, and for those who know the secret.
 * @throws CountersignError `usage` for a short secret or no server; Error when the port is taken
 */
export async function openGuardServer(options: GuardServerOptions, log: Log): Promise<GuardServer> {
  const secret = options.secret ?? randomBytes(32).toString('base64url')
  if (secret.length < MIN_SECRET) refuse('usage', `a bearer secret has ${MIN_SECRET} characters at least`)
  if (options.command === undefined && options.url === undefined) refuse('usage', 'name the server')
  const http = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 })
  http.maxConnections = 1024
  const port = await listen(http, options.port)
  const endpoint = new Endpoint({ port, secret }, options, log)
  http.on('request', (request, response) => void endpoint.serve(request, response))
  return {
    url: `http://127.0.0.1:${port}${PATH}`,
    secret,
    get size() {
      return endpoint.size
    },
    close: async () => {
      const closed = new Promise((settle) => http.close(settle))
      await endpoint.close()
      http.closeAllConnections()
      await closed
    },
  }
}

async function listen(http: HttpServer, port: number): Promise<number> {
  await new Promise<void>((settle, fail) => http.once('error', fail).listen(port, '127.0.0.1', settle))
  return (http.address() as AddressInfo).port
}
