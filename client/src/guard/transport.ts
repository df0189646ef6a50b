/**
 * What the guard needs of the transport it wraps: the MCP `Transport` contract, structurally, so that the transports of
 * `@modelcontextprotocol/sdk` 1.x and `@modelcontextprotocol/client` 2.x both fit and neither is imported.
 */
export interface InnerTransport {
  start(): Promise<void>
  send(message: never, options?: never): Promise<void>
  close(): Promise<void>
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: ((message: never, extra?: never) => void) | undefined
  sessionId?: string | undefined
  setProtocolVersion?: ((version: string) => void) | undefined
  setSupportedProtocolVersions?: ((versions: string[]) => void) | undefined
  readonly hasPerRequestStream?: boolean
}

/**
 * The transport a host connects its client to instead of the inner one.
 * It is an object of its own: an SDK that finds the members of its stdio transport on it would start a second,
 * unguarded server to probe (`_serverParams`, `_dispose`), so neither is ever there.
 */
export interface GuardedTransport {
  start: () => Promise<void>
  send: (message: object, options?: object) => Promise<void>
  close: () => Promise<void>
  onclose: (() => void) | undefined
  onerror: ((error: Error) => void) | undefined
  onmessage: ((message: object, extra?: object) => void) | undefined
  readonly sessionId: string | undefined
  readonly setProtocolVersion?: (version: string) => void
  readonly setSupportedProtocolVersions?: (versions: string[]) => void
  readonly hasPerRequestStream?: boolean
  /**
   * Verifies again, against the newest status of the registry, what the server listed last. Runs by itself every
   * `recheckSeconds`; call it when you know more (a push, a button). A changed verdict freezes and tells the host.
   */
  recheck: () => Promise<void>
}

/** SDK v2 tells stdio from HTTP by the first two; read through on each use. */
export const PASSED_GETTERS = ['stderr', 'pid', 'hasPerRequestStream'] as const

export const PASSED_METHODS = ['setProtocolVersion', 'setSupportedProtocolVersions'] as const
