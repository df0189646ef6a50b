import { answer, translateError, type Connection, type Step } from './connection.js'
import { StoreError } from './errors.js'
import { accountReads, accountWrites } from './sqlite-accounts.js'
import { directoryPort, directoryReads, directoryWrites, grantRead } from './sqlite-directory.js'
import { logReads, logWrites } from './sqlite-log.js'
import { manifestPort, manifestReads, manifestWrites } from './sqlite-manifests.js'
import type { BatchTx, LogState } from './store.js'

/** Runs batches on the writing connection; the caller sees to it that there is one at a time. */
export function batchRunner(writer: Connection) {
  let current: object | undefined
  const statements = prepare(writer)
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

function prepare(writer: Connection) {
  return {
    log: { ...logReads(writer), ...logWrites(writer) },
    directory: { ...directoryReads(writer), ...directoryWrites(writer) },
    manifests: { ...manifestReads(writer), ...manifestWrites(writer) },
    people: { ...accountReads(writer), ...accountWrites(writer) },
    grant: grantRead(writer),
  }
}

function batchTx(to: ReturnType<typeof prepare>, step: Step): BatchTx {
  const { log, directory, manifests, people } = to
  const { size } = existing(log.state())
  let appended = false
  return {
    ...directoryPort(directory, step),
    ...manifestPort(manifests, step),
    readLogState: () => step(() => existing(log.state())),
    readTile: (level, n) => step(() => log.tile(level, n)),
    readEntries: (from, to) => step(() => log.entries(from, to)),
    readAccount: (account) => step(() => people.account(account)),
    readGrant: (namespace) => step(() => to.grant(namespace)),
    countAccounts: () => step(() => people.count()),
    isLogged: (leafHash) => step(() => log.isLogged(leafHash)),
    latestAbout: (target) => step(() => log.latestAbout(target)),
    append: (batch) =>
      step(() => {
        if (appended) throw new StoreError('misuse', 'a batch appends once')
        appended = true
        log.append(batch)
      }),
    noteAbout: (target, index) => step(() => directory.about(target, index)),
    putNamespace: (row) => step(() => directory.putNamespace(row)),
    putKey: (row) => step(() => directory.putKey(row)),
    putManifest: (row) => step(() => manifests.put(row)),
    updateManifest: (digest, change) => step(() => manifests.update(digest, change)),
    putRevocation: (line, index) => step(() => directory.revoke(line, index)),
    deleteRevocation: (line) => step(() => directory.restore(line, size)),
    nameRevocationList: (rootHex, asOf) => step(() => directory.nameList(rootHex, asOf)),
    putRootNote: (row) => step(() => log.rootNote(row)),
    addAudit: (row) => step(() => people.audit(row)),
  }
}

function existing(state: LogState | undefined): LogState {
  if (state === undefined) throw new StoreError('not-initialised', 'this database has no log yet')
  return state
}
