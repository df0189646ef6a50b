import type { Digest } from 'countersign/core'

/**
 * The cellar's port. One method is one transaction; a promise that resolved is on disk (synchronous=FULL).
 * Every implementation is held to test/storage/contract.ts. Rows are plain data; digests are text, hashes bytes.
 */
export interface Store extends LogStore, DirectoryStore, ManifestStore, AccountStore, OAuthStore {
  close(): Promise<void>
}

// ---------------------------------------------------------------------------------------------- the log

/** The single state row. `note` is the newest committed checkpoint, `publishedNote` the newest one with its quorum. */
export interface LogState {
  readonly origin: string
  readonly identity: string
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
  readonly publishedSize: number
  readonly publishedNote: string
}

export interface TileRow {
  readonly level: number
  readonly n: number
  readonly data: Uint8Array
}

export interface NewBatch {
  /** What the state row must still say; anything else is another writer, and the batch fails with `lost-race`. */
  readonly expected: { readonly size: number; readonly note: string }
  readonly entries: readonly {
    readonly index: number
    readonly data: string
    readonly leafHash: Uint8Array
  }[]
  readonly tiles: readonly TileRow[]
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
}

/** Signed trust root notes by version; 1 is the first. */
export interface RootNoteRow {
  readonly version: number
  readonly note: string
}

export interface LogStore {
  readLogState(): Promise<LogState | undefined>
  /** Creates the state row of an empty log; `already-initialised` when there is one. */
  initLog(state: LogState): Promise<void>
  /**
   * One batch, one transaction. `work` reads and writes through `tx`, and calls `tx.append` at most once, as its
   * last write of the log; when `work` rejects, nothing of it happened. Batches run one after another.
   * `commit-unknown` means that COMMIT itself failed: only reading the state again tells what happened.
   * `work` writes through `tx` alone: a write method of the store called (and awaited) inside it waits for ever.
   */
  commitBatch<T>(work: (tx: BatchTx) => Promise<T>): Promise<T>
  /** Moves the published pointer forward, or re-signs at the same size; false when it would go backwards. */
  publishCheckpoint(size: number, note: string): Promise<boolean>
  readTile(level: number, n: number): Promise<Uint8Array | undefined>
  /** Entries `from <= index < to`, at most 1024. */
  readEntries(from: number, to: number): Promise<string[]>
  /** The note that was signed for exactly this size, for evidence and old bundles. */
  readCheckpoint(size: number): Promise<string | undefined>
  /** Every trust root note, by version. */
  readRootNotes(): Promise<RootNoteRow[]>
}

/** What a batch sees: the directory and the manifests as of the entries logged so far, this batch's included. */
export interface BatchTx extends DirectoryReads, ManifestReads {
  readLogState(): Promise<LogState>
  readTile(level: number, n: number): Promise<Uint8Array | undefined>
  /** What deciders and enrolments are checked against in log order. */
  readAccount(account: string): Promise<AccountRow | undefined>
  readGrant(namespace: string): Promise<NamespaceGrant | undefined>
  /** Entries logged before this batch, `from <= index < to`, at most 1024. */
  readEntries(from: number, to: number): Promise<string[]>
  append(batch: NewBatch): Promise<void>
  isLogged(leafHash: Uint8Array): Promise<number | undefined>
  /** Latest index of an event about a target: `namespace:NS`, `manifest:DIGEST`, `server:NAME`, `tool:DIGEST`. */
  latestAbout(target: string): Promise<number | undefined>
  noteAbout(target: string, index: number): Promise<void>
  putNamespace(row: NamespaceRow): Promise<void>
  putKey(row: KeyRow): Promise<void>
  /** A second row for the same digest replaces the first (published again under another key); its bundle is forgotten. */
  putManifest(row: ManifestRow): Promise<void>
  updateManifest(digest: Digest, change: ManifestChange): Promise<void>
  /** A line that stands already keeps its first index. */
  putRevocation(line: string, index: number): Promise<void>
  /** The line ends with this batch; lists named by earlier snapshots still have it. */
  deleteRevocation(line: string): Promise<void>
  /** Names the list as it stands at `asOf`, the index of the snapshot, by its root: 64 hex digits. */
  nameRevocationList(rootHex: string, asOf: number): Promise<void>
  putRootNote(row: RootNoteRow): Promise<void>
  addAudit(row: AuditRow): Promise<void>
  countAccounts(): Promise<number>
}

// ---------------------------------------------------------------------------------------- the directory

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
}

export interface DirectoryReads {
  readNamespace(namespace: string): Promise<NamespaceRow | undefined>
  /** Every key row of the namespace, by `added`. One key with two roles is two rows. */
  readKeys(namespace: string): Promise<KeyRow[]>
  /** Current revocation lines, sorted bytewise, without their LF. */
  readRevocations(): Promise<string[]>
}

export interface NamespaceGrant {
  readonly account: string
  readonly by: string
}

export interface DirectoryStore extends DirectoryReads {
  /** An admin's word that an account may enrol the first key of a namespace. Not a log event by itself. */
  grantNamespace(namespace: string, account: string, by: string): Promise<void>
  readGrant(namespace: string): Promise<NamespaceGrant | undefined>
  /** Namespaces an account owns or was granted. */
  readAccountNamespaces(account: string): Promise<string[]>
  /** A revocation list by the root that a logged snapshot names, 64 hex digits; lines sorted bytewise. */
  readRevocationList(rootHex: string): Promise<string[] | undefined>
}

// ---------------------------------------------------------------------------------------- the manifests

export type ManifestStatus = 'pending' | 'approved' | 'rejected' | 'withdrawn' | 'deprecated' | 'revoked'

export interface ManifestRow {
  readonly manifest: Digest
  readonly envelopeDigest: Digest
  readonly envelope: string
  readonly server: string
  /** `foldServerName(server)`. */
  readonly folded: string
  readonly namespace: string
  readonly version: string
  readonly role: 'publisher' | 'voucher'
  readonly kid: string
  readonly account: string
  readonly status: ManifestStatus
  readonly publishIndex: number
  readonly approveIndex?: number
  /** JSON of Finding[]. */
  readonly findings: string
  /** Informational wall clock, ms. */
  readonly submittedAt: number
  readonly toolDigests: readonly { readonly name: string; readonly digest: Digest }[]
  /** What hosts look it up by: `npm:NAME`, `npm:NAME@VERSION`, `url:URL` … */
  readonly lookups: readonly string[]
}

/** A manifest as lists have it: an envelope may have 6 MiB, and a server thousands of versions. */
export type ManifestListing = Omit<ManifestRow, 'envelope' | 'toolDigests' | 'lookups'>

export interface ServerName {
  readonly server: string
  readonly namespace: string
  /** Index of its newest publication. */
  readonly index: number
}

export interface ManifestChange {
  readonly status?: ManifestStatus
  readonly approveIndex?: number
  readonly publishIndex?: number
}

export interface ManifestReads {
  readManifest(digest: Digest): Promise<ManifestRow | undefined>
  readVersion(server: string, version: string): Promise<ManifestRow | undefined>
  readServer(server: string): Promise<ManifestListing[]>
  /** The server in use whose name folds to this one. */
  readServerNamed(folded: string): Promise<string | undefined>
}

export interface ManifestStore extends ManifestReads {
  /** In log order of their publication. `after` is the manifest digest of the last row seen. */
  readByStatus(status: ManifestStatus, limit: number, after?: string): Promise<ManifestListing[]>
  /** Whatever their status, by server name and log order. */
  readByLookup(key: string): Promise<ManifestListing[]>
  /** Names with a publication after this index, in log order; -1 gives all. */
  readServerNames(after: number): Promise<ServerName[]>
  /** Whether a version of this server was approved once. */
  isServerApproved(server: string): Promise<boolean>
  /** Names of servers with a version that was approved once, in order, after `after`, containing `search` when given. */
  listServers(limit: number, after?: string, search?: string): Promise<string[]>
  /** A bundle is made once and never changes. */
  readBundle(digest: Digest): Promise<string | undefined>
  /**
   * Kept unless there is one already. With `approveIndex` it is kept only while the row still says this index, so
   * that a bundle built before a new publication cannot stay behind.
   */
  putBundle(digest: Digest, bundle: string, approveIndex?: number): Promise<void>
  putPolicy(digest: Digest, text: string): Promise<void>
  readPolicy(digest: Digest): Promise<string | undefined>
  readAudit(limit: number, before?: number): Promise<(AuditRow & { id: number })[]>
  addAuditRecord(row: AuditRow): Promise<void>
}

/** An audit record; `detail` is JSON without personal data or secrets. */
export interface AuditRow {
  readonly at: number
  readonly account: string
  readonly action: string
  readonly target: string
  readonly detail: string
  readonly index?: number
}

// ----------------------------------------------------------------------------------- accounts and OAuth

export type Role = 'publisher' | 'reviewer' | 'admin' | 'auditor'

export interface AccountRow {
  readonly account: string
  readonly roles: readonly Role[]
  readonly disabled: boolean
  /** PHC string of argon2id; absent for service accounts and after a one-time password was used. */
  readonly passwordHash?: string
}

export interface ClientRow {
  readonly clientId: string
  readonly account: string
  readonly name: string
  /** SHA-256 of the 256-bit generated secret, hex. */
  readonly secretHash: string
  readonly scopes: readonly string[]
  readonly disabled: boolean
}

export interface AccountStore {
  /** `duplicate` when there is one of that name. */
  createAccount(row: AccountRow): Promise<void>
  readAccount(account: string): Promise<AccountRow | undefined>
  countAccounts(): Promise<number>
  /** True for the one caller that took the password away; false for everyone after. */
  consumePassword(account: string, passwordHash: string): Promise<boolean>
  /** `duplicate` when the id is taken, `constraint` when there is no such account. */
  createClient(row: ClientRow): Promise<void>
  readClient(clientId: string): Promise<ClientRow | undefined>
}

/**
 * The rows behind the authorization server's adapter; times are POSIX seconds. Expired rows are never returned.
 * `payload` is a JSON object; `consumeOAuth` sets its member `consumed`.
 */
export interface OAuthStore {
  putOAuth(model: string, id: string, payload: string, keys: OAuthKeys, expiresAt?: number): Promise<void>
  readOAuth(model: string, id: string): Promise<string | undefined>
  readOAuthBy(model: string, key: keyof OAuthKeys, value: string): Promise<string | undefined>
  consumeOAuth(model: string, id: string, at: number): Promise<void>
  deleteOAuth(model: string, id: string): Promise<void>
  deleteOAuthGrant(grantId: string): Promise<void>
}

export interface OAuthKeys {
  readonly uid?: string
  readonly userCode?: string
  readonly grantId?: string
}
