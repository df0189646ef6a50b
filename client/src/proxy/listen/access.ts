import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** Why a request is not for this guard, before anything of its body is read. */
export interface Refusal {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly message: string
}

export interface Gate {
  readonly port: number
  readonly secret: string
}

export const PATH = '/mcp'

/**
 * Whoever asks is a program of this machine that knows the secret. A web page can send requests to loopback as well: under
 * a name of its own that it points here (`Host`), or from its own place (`Origin`, which only browsers send).
 */
export function refuseRequest(
  { headers, url }: IncomingMessage,
  { port, secret }: Gate,
): Refusal | undefined {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]
  if (!hosts.includes((headers.host ?? '').toLowerCase()))
    return { status: 403, message: 'this Host is not served' }
  if (headers.origin !== undefined) return { status: 403, message: 'no web page is served' }
  if (!isSecret(headers.authorization, secret)) {
    const challenge = { 'www-authenticate': 'Bearer realm="countersign guard"' }
    return { status: 401, headers: challenge, message: 'the bearer secret of this guard is missing' }
  }
  if ((url ?? '').split('?')[0] !== PATH) return { status: 404, message: `the endpoint is ${PATH}` }
  return undefined
}

function isSecret(authorization: string | undefined, secret: string): boolean {
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  // Digests have one length: the comparison tells nothing of the secret.
  return timingSafeEqual(digest(given), digest(secret))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
