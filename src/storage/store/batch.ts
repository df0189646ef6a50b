import type { AccountRow } from './accounts.js'
import type { AuditRow } from './audit.js'
import type { Digest } from 'countersign/core'
import type { DirectoryReads, KeyRow, NamespaceGrant, NamespaceRow, ProofRow } from './directory.js'
import type { LogState, NewBatch, RootNoteRow } from './log-rows.js'
import type { ManifestChange, ManifestReads, ManifestRow } from './manifests.js'
import type { PolicyVersion, SignatureRow, VoteRow } from './review.js'

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
  /** An entry logged before this batch, by its position, in whichever log of the identity it stands. */
  readLeaf(position: number): Promise<string | undefined>
  append(batch: NewBatch): Promise<void>
  /**
   * Ends the active log: its entries, tiles and checkpoints are kept under the next number, and `successor` is the
   * state from here on, an empty log at the position where the other one ended. Before anything else in its batch.
   */
  succeed(successor: LogState): Promise<void>
  /** The position of an entry, in whichever log of the identity it stands. */
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
  /** Names the list as it stands at `asOf`, the position of the snapshot, by its root: 64 hex digits. */
  nameRevocationList(rootHex: string, asOf: number): Promise<void>
  putRootNote(row: RootNoteRow): Promise<void>
  /** By version, those of this batch included. */
  readRootNotes(): Promise<RootNoteRow[]>
  addAudit(row: AuditRow): Promise<void>
  countAccounts(): Promise<number>
}
