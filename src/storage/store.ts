import type { Digest } from 'countersign/core'

/**
 * The cellar's port. One method is one transaction; a promise that resolved is on disk (synchronous=FULL).
 * Every implementation is held to test/storage/contract.ts. Rows are plain data; digests are text, hashes bytes.
 */
export interface Store
  extends
    LogStore,
    DirectoryStore,
    ManifestStore,
    ReviewStore,
    AccountStore,
    TrustedPublisherStore,
    OAuthStore,
    WebhookStore {
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
  /** Latest index of an event about a target: `namespace:NS`, `manifest:DIGEST`, `server:NAME`, `tool:DIGEST`. */
  latestAbout(target: string): Promise<number | undefined>
}

/** What a batch sees: the directory and the manifests as of the entries logged so far, this batch's included. */
export interface BatchTx extends DirectoryReads, ManifestReads {
  readLogState(): Promise<LogState>
  readTile(level: number, n: number): Promise<Uint8Array | undefined>
  /** What deciders and enrolments are checked against in log order. */
  readAccount(account: string): Promise<AccountRow | undefined>
  readGrant(namespace: string): Promise<NamespaceGrant | undefined>
  /** Replaces the one before it. */
  putProof(row: ProofRow): Promise<void>
  /** True for the one caller that took it away; false when it is unknown, taken or expired. */
  takeChallenge(challenge: string): Promise<boolean>
  /** Votes about a subject that name this `after`, in the order they were cast. */
  readVotes(subject: string, after: number): Promise<VoteRow[]>
  readSignatures(subject: string, after: number): Promise<SignatureRow[]>
  readCurrentPolicy(): Promise<PolicyVersion | undefined>
  /** Entries logged before this batch, `from <= index < to`, at most 1024. */
  readEntries(from: number, to: number): Promise<string[]>
  append(batch: NewBatch): Promise<void>
  isLogged(leafHash: Uint8Array): Promise<number | undefined>
  /** As of this batch. */
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
  /** Proofs by domain that were looked at before this time, oldest first. */
  readProofsDue(before: number, limit: number): Promise<ProofRow[]>
  /** The outcome of another look at a proof; nothing when the row is gone or names another key, kind or subject. */
  recordProofCheck(row: ProofRow): Promise<void>
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
  /** Class of its change against `changeBase` when it was submitted, for lists; a decision computes it again. */
  readonly changeClass?: string
  /** The approved manifest it was compared with; absent for a server's first one. */
  readonly changeBase?: Digest
}

/** A manifest as lists have it: an envelope may have 6 MiB, and a server thousands of versions. */
export type ManifestListing = Omit<ManifestRow, 'envelope' | 'toolDigests' | 'lookups'>

export interface ServerName {
  readonly server: string
  readonly namespace: string
  /** Index of its newest publication. */
  readonly index: number
}

/** An account, and the namespace that it published a tool in. */
export interface ToolOwner {
  readonly namespace: string
  readonly account: string
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
  /** Names with a publication after this index, in log order; -1 gives all. */
  readServerNames(after: number): Promise<ServerName[]>
  /**
   * The version of a server that was approved last and still is, deprecated or not; with `before`, last before that
   * `approveIndex`.
   */
  readNewestApproved(server: string, before?: number): Promise<ManifestListing | undefined>
  /** Whether a version of this server was approved once. */
  isServerApproved(server: string): Promise<boolean>
  /** Digests of the tools of a manifest, each once, in order. */
  readToolDigests(manifest: Digest): Promise<Digest[]>
  /** Who published manifests that hold this tool, whatever became of them; each pair once, in order. */
  readToolOwners(tool: Digest): Promise<ToolOwner[]>
}

export interface ManifestStore extends ManifestReads {
  /** In log order of their publication. `after` is the manifest digest of the last row seen. */
  readByStatus(status: ManifestStatus, limit: number, after?: string): Promise<ManifestListing[]>
  /** Whatever their status, by server name and log order. */
  readByLookup(key: string): Promise<ManifestListing[]>
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
  /** Newest first. */
  readAudit(limit: number, before?: number, filter?: AuditFilter): Promise<AuditRecord[]>
  /** Oldest first, with an id above this one. */
  readAuditSince(id: number, limit: number): Promise<AuditRecord[]>
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

export interface AuditRecord extends AuditRow {
  readonly id: number
}

export interface AuditFilter {
  readonly account?: string | undefined
  readonly action?: string | undefined
  readonly target?: string | undefined
}

// -------------------------------------------------------------------------------------------- the review

/**
 * One person's vote: an audit record's worth, no log event. `subject` is `approve:DIGEST`, `approve:DIGEST:BASE` or
 * `reinstate:manifest:DIGEST`, `reinstate:server:NAME`, `reinstate:tool:DIGEST`.
 */
export interface VoteRow {
  readonly subject: string
  readonly account: string
  /** The latest event about the target that the voter knew; a vote for an older one counts for nothing. */
  readonly after: number
  readonly at: number
  readonly override?: string
  readonly comment?: string
  readonly reason?: string
}

/** An approver key's detached signature over a decision's draft. */
export interface SignatureRow {
  readonly subject: string
  readonly after: number
  readonly kid: string
  readonly sig: string
}

/** One version of the admission policy; `text` is canonical JSON and `digest` its SHA-256. */
export interface PolicyVersion {
  readonly version: number
  readonly digest: Digest
  readonly text: string
  readonly by: string
  readonly at: number
}

export interface ReviewStore {
  /** One vote for each subject and account: a second one replaces the first and keeps its place. */
  castVote(row: VoteRow): Promise<void>
  readVotes(subject: string, after: number): Promise<VoteRow[]>
  /** One for each key; a second one replaces the first. */
  putSignature(row: SignatureRow): Promise<void>
  /** By `kid`. */
  readSignatures(subject: string, after: number): Promise<SignatureRow[]>
  /** The policy in force; undefined before the first one. */
  readCurrentPolicy(): Promise<PolicyVersion | undefined>
  /** Newest first. */
  readPolicyVersions(limit: number): Promise<PolicyVersion[]>
  /**
   * Puts it in force, and its text where `readPolicy` finds it, when `version` is one more than the one in force (1 for
   * the first); otherwise false, and nothing of it is kept.
   */
  setPolicy(row: PolicyVersion): Promise<boolean>
}

// ----------------------------------------------------------------------------------- accounts and OAuth

export type Role = 'publisher' | 'reviewer' | 'admin' | 'auditor'

export interface AccountRow {
  /** What events, tokens and audit records say: opaque, never personal data. */
  readonly account: string
  readonly kind: 'person' | 'service'
  /** What a person types to log in; lower case, unique, never logged. */
  readonly login?: string
  readonly roles: readonly Role[]
  readonly disabled: boolean
  /** PHC string of argon2id; absent for service accounts, external identities, and after a one-time password was used. */
  readonly passwordHash?: string
  /** The password was given out by somebody else, and only buys another one. */
  readonly passwordOnce?: boolean
  /** The person who answers for a service account: four eyes counts both as one. */
  readonly owner?: string
  /** POSIX seconds: tokens issued before are refused (password changed, signed out everywhere). */
  readonly tokensBefore?: number
  /** An identity of an external issuer. */
  readonly subject?: { readonly issuer: string; readonly sub: string }
  /** Milliseconds. */
  readonly createdAt: number
}

export interface AccountChange {
  readonly roles?: readonly Role[]
  /** True also ends a recovery code. */
  readonly disabled?: boolean
  /** Also ends `passwordOnce` and a recovery code. */
  readonly passwordHash?: string
  /** Nothing changes when the password is not this one any more. */
  readonly oldPasswordHash?: string
  /** Also drops every session, grant, code and token of the account, in the same transaction. */
  readonly tokensBefore?: number
  readonly login?: string
  /** Refused as `last-admin`, with nothing changed, when no enabled account would be an admin afterwards. */
  readonly keepAdmin?: true
}

/** A one-time code that an admin hands to a person; kept as the SHA-256 of its text, hex. */
export interface CodeRow {
  readonly hash: string
  readonly kind: 'invitation' | 'recovery'
  /** Of a recovery: whose password it sets. */
  readonly account?: string
  /** Of an invitation: what the new account may do. */
  readonly roles?: readonly Role[]
  readonly by: string
  /** Milliseconds. */
  readonly expiresAt: number
}

export interface ClientRow {
  readonly clientId: string
  /** Whom a token by client credentials speaks for; absent for a public client, which speaks for whoever logs in. */
  readonly account?: string
  readonly name: string
  readonly authMethod: 'client_secret_basic' | 'private_key_jwt' | 'none'
  /** SHA-256 of the 256-bit generated secret, hex. */
  readonly secretHash?: string
  /** JSON of the JWK set that `private_key_jwt` is verified with. */
  readonly jwks?: string
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly string[]
  readonly scopes: readonly string[]
  readonly disabled: boolean
  /** Milliseconds. */
  readonly createdAt: number
}

export interface AccountStore {
  /** `duplicate` when there is one of that name, login or subject. */
  createAccount(row: AccountRow): Promise<void>
  readAccount(account: string): Promise<AccountRow | undefined>
  readAccountByLogin(login: string): Promise<AccountRow | undefined>
  readAccountBySubject(issuer: string, sub: string): Promise<AccountRow | undefined>
  /** By name, after `after`. */
  listAccounts(limit: number, after?: string): Promise<AccountRow[]>
  /** False when there is no such account, or another password by now; `duplicate` when the login is taken. */
  updateAccount(account: string, change: AccountChange): Promise<boolean>
  countAccounts(): Promise<number>
  /** True for the one caller that took the password away, and `passwordOnce` with it; false for everyone after. */
  consumePassword(account: string, passwordHash: string): Promise<boolean>
  /** A recovery code replaces the one before it. `constraint` when it is of no account. */
  putCode(row: CodeRow): Promise<void>
  /** Undefined once redeemed or expired; of one kind only. */
  readCode(hash: string, kind: CodeRow['kind']): Promise<CodeRow | undefined>
  /** Takes the invitation and makes the account, both or neither; false when the code is gone, `duplicate` as createAccount. */
  redeemInvitation(hash: string, row: AccountRow): Promise<boolean>
  /**
   * Takes the recovery code, sets the password and `tokensBefore`, and drops every grant and session of the account;
   * the account, or undefined when the code is gone.
   */
  redeemRecovery(hash: string, passwordHash: string, tokensBefore: number): Promise<string | undefined>
  /**
   * `duplicate` when the id is taken; `constraint` when there is no such account, or when it has not exactly what its
   * method asks for: `secretHash` of `client_secret_basic`, `jwks` of `private_key_jwt`.
   */
  createClient(row: ClientRow): Promise<void>
  readClient(clientId: string): Promise<ClientRow | undefined>
  /** By id, after `after`; of one account when given. */
  listClients(limit: number, after?: string, account?: string): Promise<ClientRow[]>
  /** False when there is no such client. */
  disableClient(clientId: string, disabled: boolean): Promise<boolean>
}

// ------------------------------------------------------------------------------------ trusted publishing

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

// ------------------------------------------------------------------------------------------- webhooks

export interface WebhookRow {
  readonly id: string
  readonly url: string
  /** Only what is about this namespace. */
  readonly namespace?: string
  /** Audit actions it is told of; empty for all. */
  readonly events: readonly string[]
  /** Whose it is. */
  readonly account: string
  /** Id of the last audit record that was delivered or passed over. */
  readonly cursor: number
  /** Failures in a row at the record after the cursor. */
  readonly failures: number
  /** Milliseconds: not tried before. */
  readonly nextAt: number
  readonly disabled: boolean
  readonly createdAt: number
}

export interface WebhookStore {
  /** `duplicate` when the id is taken. */
  createWebhook(row: WebhookRow): Promise<void>
  readWebhook(id: string): Promise<WebhookRow | undefined>
  /** By id, after `after`. */
  listWebhooks(
    filter: { readonly namespace?: string | undefined; readonly account?: string | undefined },
    limit: number,
    after?: string,
  ): Promise<WebhookRow[]>
  /** Enabled ones whose time has come and whose cursor lies before the newest audit record. */
  readDueWebhooks(now: number, limit: number): Promise<WebhookRow[]>
  /** False when it is gone. */
  updateWebhook(
    id: string,
    change: Partial<Pick<WebhookRow, 'cursor' | 'failures' | 'nextAt' | 'disabled'>>,
  ): Promise<boolean>
  /** False when there is none. */
  deleteWebhook(id: string): Promise<boolean>
}

// ---------------------------------------------------------------------------------------------- OAuth

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
  /** Every session, grant, code and token of an account. */
  deleteOAuthAccount(accountId: string): Promise<void>
}

export interface OAuthKeys {
  readonly uid?: string
  readonly userCode?: string
  readonly grantId?: string
  readonly accountId?: string
}
