import { answer, translateError, type Connection, type Step } from './connection.js'
import { StoreError } from '../errors.js'
import { accountReads } from './accounts.js'
import { auditWrite } from './audit.js'
import { directoryPort, directoryReads, directoryWrites, grantRead } from './directory.js'
import { logReads, logWrites, succession } from './log.js'
import { manifestPort, manifestReads, manifestWrites } from './manifests.js'
import { proofWrites } from './proofs.js'
import { reviewReads } from './review.js'
import type { BatchTx, LogState } from '../store.js'

/** Runs batches on the writing connection; the caller sees to it that there is one at a time. */
export function batchRunner(writer: Connection, now: () => number) {
  let current: object | undefined
  const statements = prepare(writer, now)
  const run = async <T>(work: (tx: BatchTx) => Promise<T>): Promise<T> => {
    const batch = {}
    const step: Step = (action) =>
      answer(() => {
        // After some failures SQLite has rolled back by itself; a write now would stand outside any transaction.
        if (current !== batch || !writer.inTransaction) throw new StoreError('misuse', 'this batch has ended')
        return action()
      })
    begin(writer)
    current = batch
    try {
      const result = await work(batchTx(statements, step))
      current = undefined
      commit(writer)
      return result
    } catch (cause) {
      current = undefined
      if (writer.inTransaction) writer.exec('ROLLBACK')
      throw cause
    }
  }
  return run
}

function begin(writer: Connection): void {
  try {
    writer.exec('BEGIN IMMEDIATE')
  } catch (cause) {
    throw translateError(cause)
  }
}

function commit(writer: Connection): void {
  try {
    writer.exec('COMMIT')
  } catch (cause) {
    throw new StoreError('commit-unknown', 'COMMIT failed', { cause: translateError(cause) })
  }
}

function prepare(writer: Connection, now: () => number) {
  return {
    log: { ...logReads(writer), ...logWrites(writer), succeed: succession(writer) },
    directory: { ...directoryReads(writer, now), ...directoryWrites(writer) },
    proofs: proofWrites(writer, now),
    manifests: { ...manifestReads(writer), ...manifestWrites(writer, now) },
    review: reviewReads(writer),
    people: accountReads(writer, now),
    audit: auditWrite(writer),
    grant: grantRead(writer),
  }
}

function batchTx(to: ReturnType<typeof prepare>, step: Step): BatchTx {
  const { log, directory, manifests } = to
  const { base, size } = existing(log.state())
  return {
    ...directoryPort(directory, step),
    ...manifestPort(manifests, step),
    ...decisionReads(to, step),
    ...logSteps(to, step),
    noteAbout: (target, index) => step(() => directory.about(target, index)),
    putNamespace: (row) => step(() => directory.putNamespace(row)),
    putKey: (row) => step(() => directory.putKey(row)),
    putProof: (row) => step(() => to.proofs.putProof(row)),
    takeChallenge: (challenge) => step(() => to.proofs.takeChallenge(challenge)),
    putManifest: (row) => step(() => manifests.put(row)),
    updateManifest: (digest, change) => step(() => manifests.update(digest, change)),
    putRevocation: (line, index) => step(() => directory.revoke(line, index)),
    deleteRevocation: (line) => step(() => directory.restore(line, base + size)),
    nameRevocationList: (rootHex, asOf) => step(() => directory.nameList(rootHex, asOf)),
    addAudit: (row) => step(() => to.audit(row)),
  }
}

/** What a decision is checked against in log order. */
function decisionReads({ people, review, grant }: ReturnType<typeof prepare>, step: Step) {
  return {
    readAccount: (account) => step(() => people.account(account)),
    countAccounts: () => step(() => people.count()),
    readGrant: (namespace) => step(() => grant(namespace)),
    readVotes: (subject, after) => step(() => review.votes(subject, after)),
    readSignatures: (subject, after) => step(() => review.signatures(subject, after)),
    readCurrentPolicy: () => step(() => review.current()),
  } satisfies Partial<BatchTx>
}

function logSteps({ log }: ReturnType<typeof prepare>, step: Step) {
  let appended = false
  return {
    readLogState: () => step(() => existing(log.state())),
    readTile: (level, n) => step(() => log.tile(level, n)),
    readEntries: (from, to) => step(() => log.entries(from, to)),
    readLeaf: (position) => step(() => log.leaf(position)),
    isLogged: (leafHash) => step(() => log.isLogged(leafHash)),
    latestAbout: (target) => step(() => log.latestAbout(target)),
    putRootNote: (row) => step(() => log.rootNote(row)),
    readRootNotes: () => step(() => log.rootNotes()),
    succeed: (successor) => step(() => log.succeed(successor)),
    append: (batch) =>
      step(() => {
        if (appended) throw new StoreError('misuse', 'a batch appends once')
        appended = true
        log.append(batch)
      }),
  } satisfies Partial<BatchTx>
}

function existing(state: LogState | undefined): LogState {
  if (state === undefined) throw new StoreError('not-initialised', 'this database has no log yet')
  return state
}
