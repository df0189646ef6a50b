/**
 * The world beyond the registry, as far as it has to be asked: what a domain says of itself, the keys of an issuer, a
 * webhook's receiver. Whoever names a host chooses where a request goes, so every implementation refuses addresses that
 * are not public, follows no redirect, and caps bytes and time.
 */
export interface Outside {
  /** TXT records of a name, the strings of each record joined; empty when the name has none. Throws OutsideError. */
  resolveTxt(name: string): Promise<readonly string[]>
  /** Throws OutsideError; an answer of any status is an answer. */
  request(url: string, options?: OutsideRequest): Promise<OutsideAnswer>
}

export interface OutsideRequest {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Default 4096. */
  readonly maxBytes?: number
  /** Default 10 000. */
  readonly timeoutMs?: number
  /** An admin named this host in the configuration or over the API: it may be in a private network. */
  readonly trusted?: boolean
  /** Gives the request up: OutsideError `unreachable`. */
  readonly signal?: AbortSignal
}

export interface OutsideAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export type OutsideCode =
  /** No address, no connection, or no answer in time. */
  | 'unreachable'
  /** An address that nobody outside may make us speak to. */
  | 'address-refused'
  | 'too-large'
  | 'url-invalid'

export class OutsideError extends Error {
  override readonly name = 'OutsideError'
  readonly code: OutsideCode

  constructor(code: OutsideCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
