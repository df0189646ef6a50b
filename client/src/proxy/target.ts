/** A server that the guard starts itself and speaks to over stdio. */
export interface CommandTarget {
  readonly command: string
  readonly args: readonly string[]
  /** What the server's environment holds besides the short list that every program needs (PATH, HOME …). */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** A remote server, over Streamable HTTP. */
export interface UrlTarget {
  readonly url: string
  /** Sent with each request; what the protocol itself sets is not taken from here. */
  readonly headers?: Readonly<Record<string, string>>
  /** The bearer token for this server, asked for with each request. Never one that a host sent to the guard. */
  readonly serverToken?: () => Promise<string>
}

export type Target = CommandTarget | UrlTarget

/** Where lines for people go. */
export type Log = (line: string) => void
