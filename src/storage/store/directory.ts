export interface NamespaceRow {
  readonly namespace: string
  readonly account: string
  readonly proof: 'dns' | 'http' | 'oidc' | 'admin'
  /** Index of the namespace event. */
  readonly index: number
}

export interface KeyRow {
  readonly namespace: string
  readonly kid: string
  /** base64url of the 32 raw bytes. */
  readonly x: string
  readonly role: 'own' | 'sign'
  readonly added: number
  readonly revoked?: number
  readonly invalidFrom?: number
  readonly reason?: 'superseded' | 'cessation' | 'compromise'
  /** The own key whose signature endorsed this row; its own kid for a first key, absent for one by authorities. */
  readonly endorser?: string
  /** Milliseconds: a key that authorities gave is used only after a waiting time, which its owner can still object in. */
  readonly usableAt?: number
}

/**
 * What outside the log stands behind a namespace, looked at again on a schedule. A lapsed proof suspends publishing,
 * never hosts.
 */
export interface ProofRow {
  readonly namespace: string
  readonly kind: 'dns' | 'http' | 'oidc'
  /** The domain that was asked (`example.com`), or `ISSUER#OWNER_ID` for claims. */
  readonly subject: string
  /** The first own key: what the record names. */
  readonly kid: string
  /** Milliseconds. */
  readonly checkedAt: number
  /** Milliseconds: since when every look found it missing. */
  readonly failingSince?: number
  readonly suspended: boolean
}

/** A server-issued challenge: who may claim which namespace in which way. Taken when the claim is logged. */
export interface ChallengeRow {
  readonly challenge: string
  readonly namespace: string
  readonly account: string
  readonly kind: ProofRow['kind']
  /** Milliseconds. */
  readonly expiresAt: number
}

export interface DirectoryReads {
  readProof(namespace: string): Promise<ProofRow | undefined>
  readNamespace(namespace: string): Promise<NamespaceRow | undefined>
  /** Every key row of the namespace, by `added`. One key with two roles is two rows. */
  readKeys(namespace: string): Promise<KeyRow[]>
  /** Current revocation lines, sorted bytewise, without their LF. */
  readRevocations(): Promise<string[]>
  /**
   * Lines that were put or taken away by entries at positions `from` and above, each once, and whether it stands now:
   * what brings an older list up to this one.
   */
  readRevocationChanges(from: number): Promise<{ readonly line: string; readonly stands: boolean }[]>
  /** Whether any of these lines stands: asked for each, however long the list is. */
  isAnyRevoked(lines: readonly string[]): Promise<boolean>
}

export interface NamespaceGrant {
  readonly account: string
  readonly by: string
}

export interface DirectoryStore extends DirectoryReads {
  /** An admin's word that an account may enrol the first key of a namespace. Not a log event by itself. */
  grantNamespace(namespace: string, account: string, by: string): Promise<void>
  readGrant(namespace: string): Promise<NamespaceGrant | undefined>
  /** Namespaces an account owns or was granted; a grant over somebody else's proof is only for their own services. */
  readAccountNamespaces(account: string): Promise<string[]>
  /** Those that have expired are forgotten. */
  putChallenge(row: ChallengeRow): Promise<void>
  /** Undefined once taken or expired. */
  readChallenge(challenge: string): Promise<ChallengeRow | undefined>
  /**
   * Proofs by domain that were looked at before this time, oldest first. Whoever is given one looks at it: it counts as
   * looked at at `claimedAs`, so that no other process is given it too. The rows are as they are then.
   */
  claimProofsDue(before: number, limit: number, claimedAs: number): Promise<ProofRow[]>
  /** The outcome of another look at a proof; nothing when the row is gone or names another key, kind or subject. */
  recordProofCheck(row: ProofRow): Promise<void>
  /** A revocation list by the root that a logged snapshot names, 64 hex digits; lines sorted bytewise. */
  readRevocationList(rootHex: string): Promise<string[] | undefined>
  /** The position of the snapshot that named this list first. */
  readListPosition(rootHex: string): Promise<number | undefined>
}
