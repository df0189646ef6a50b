/** A workflow that may publish without a stored secret: whose tokens, and which claims they must carry. */
export interface TrustedPublisherRow {
  readonly id: string
  readonly namespace: string
  /** One server of the namespace; absent for all of them. */
  readonly server?: string
  readonly issuer: string
  /** Claim name to the exact value or pattern it must have. */
  readonly claims: Readonly<Record<string, string>>
  /** The account it publishes as; it must act for the namespace. */
  readonly account: string
  readonly by: string
  /** Milliseconds. */
  readonly createdAt: number
}

export interface TrustedPublisherStore {
  /** `duplicate` when the id is taken. */
  createTrustedPublisher(row: TrustedPublisherRow): Promise<void>
  readTrustedPublisher(id: string): Promise<TrustedPublisherRow | undefined>
  /** By id, after `after`. */
  listTrustedPublishers(
    filter: { readonly namespace?: string | undefined; readonly issuer?: string | undefined },
    limit: number,
    after?: string,
  ): Promise<TrustedPublisherRow[]>
  /** False when there is none. */
  deleteTrustedPublisher(id: string): Promise<boolean>
  /**
   * True for the first caller that says this value of this kind before it expires (POSIX seconds); false for every
   * other: `dpop` proofs, subject tokens.
   */
  useOnce(kind: string, value: string, expiresAt: number): Promise<boolean>
}
