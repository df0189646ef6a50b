import { answer, openConnections, type Connections, type Step } from './connection.js'
import { StoreError } from './errors.js'
import { accountReads, accountWrites, oauthReads, oauthWrites } from './sqlite-accounts.js'
import { batchRunner } from './sqlite-batch.js'
import { directoryLookups, directoryPort, directoryReads, directoryWrites } from './sqlite-directory.js'
import { logReads, logWrites } from './sqlite-log.js'
import { manifestLookups, manifestPort, manifestReads, manifestWrites } from './sqlite-manifests.js'
import type { AccountStore, DirectoryStore, LogStore, ManifestStore, OAuthStore, Store } from './store.js'

export interface SqliteOptions {
  /** POSIX milliseconds, for the expiry of authorization rows. */
  readonly now?: () => number
}

/**
 * The cellar in one SQLite file, for one process: WAL, synchronous=FULL, an exclusive lock held as long as it is
 * open. Throws StoreError `locked` at once when another process has it.
 */
export function openSqliteStore(file: string, options: SqliteOptions = {}): Promise<Store> {
  return answer(() => {
    const connections = openConnections(file)
    try {
      return storeOver(connections, options.now ?? Date.now)
    } catch (cause) {
      connections.close()
      throw cause
    }
  })
}

function storeOver(connections: Connections, now: () => number): Store {
  const turns = turnstile(connections)
  const desk: Desk = { ...connections, ...turns, seconds: () => Math.floor(now() / 1000) }
  return {
    ...logStore(desk),
    ...directoryStore(desk),
    ...manifestStore(desk),
    ...accountStore(desk),
    ...oauthStore(desk),
    close: () => turns.close(),
  }
}

/** What each room of the store works with. */
interface Desk extends Pick<Connections, 'writer' | 'reader'>, Turnstile {
  readonly seconds: () => number
}

interface Turnstile {
  /** A read of what is committed. */
  readonly read: Step
  /** One write, one transaction. */
  readonly write: Step
  /** An asynchronous owner of the writing connection: nobody else writes until it has ended. */
  readonly take: <T>(work: () => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

function turnstile(connections: Connections): Turnstile {
  const { writer } = connections
  let last: Promise<unknown> = Promise.resolve()
  let closed = false
  const closedError = (): StoreError => new StoreError('closed', 'the store is closed')
  const take = <T>(work: () => Promise<T>): Promise<T> => {
    if (closed) return Promise.reject(closedError())
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }
  const close = async (): Promise<void> => {
    if (closed) return
    closed = true
    await last
    connections.close()
  }
  const read: Step = (run) => (closed ? Promise.reject(closedError()) : answer(run))
  const write: Step = (run) => take(() => answer(() => writer.transaction(run).immediate()))
  return { read, write, take, close }
}

function logStore({ reader, writer, read, write, take }: Desk): LogStore {
  const from = logReads(reader)
  const to = logWrites(writer)
  const runBatch = batchRunner(writer)
  return {
    readLogState: () => read(() => from.state()),
    initLog: (state) => write(() => to.init(state)),
    commitBatch: (work) => take(() => runBatch(work)),
    publishCheckpoint: (size, note) => write(() => to.publish(size, note)),
    readTile: (level, n) => read(() => from.tile(level, n)),
    readEntries: (first, end) => read(() => from.entries(first, end)),
    readCheckpoint: (size) => read(() => from.checkpoint(size)),
    readRootNotes: () => read(() => from.rootNotes()),
  }
}

function directoryStore({ reader, writer, read, write }: Desk): DirectoryStore {
  const from = directoryLookups(reader)
  const to = directoryWrites(writer)
  return {
    ...directoryPort(directoryReads(reader), read),
    grantNamespace: (namespace, account, by) => write(() => to.grant(namespace, account, by)),
    readGrant: (namespace) => read(() => from.grant(namespace)),
    readAccountNamespaces: (account) => read(() => from.accountNamespaces(account)),
    readRevocationList: (rootHex) => read(() => from.revocationList(rootHex)),
  }
}

function manifestStore({ reader, writer, read, write }: Desk): ManifestStore {
  const from = { ...manifestLookups(reader), ...accountReads(reader) }
  const to = { ...manifestWrites(writer), ...accountWrites(writer) }
  return {
    ...manifestPort(manifestReads(reader), read),
    readByStatus: (status, limit, after) => read(() => from.byStatus(status, limit, after)),
    readByLookup: (key) => read(() => from.byLookup(key)),
    listServers: (limit, after, search) => read(() => from.servers(limit, after, search)),
    readServerNames: (after) => read(() => from.serverNames(after)),
    isServerApproved: (server) => read(() => from.isApproved(server)),
    readBundle: (digest) => read(() => from.bundle(digest)),
    putBundle: (digest, bundle, approveIndex) => write(() => to.bundle(digest, bundle, approveIndex)),
    putPolicy: (digest, text) => write(() => to.policy(digest, text)),
    readPolicy: (digest) => read(() => from.policy(digest)),
    readAudit: (limit, before) => read(() => from.audit(limit, before)),
    addAuditRecord: (row) => write(() => to.audit(row)),
  }
}

function accountStore({ reader, writer, read, write }: Desk): AccountStore {
  const from = accountReads(reader)
  const to = accountWrites(writer)
  return {
    createAccount: (row) => write(() => to.createAccount(row)),
    readAccount: (account) => read(() => from.account(account)),
    countAccounts: () => read(() => from.count()),
    consumePassword: (account, hash) => write(() => to.consumePassword(account, hash)),
    createClient: (row) => write(() => to.createClient(row)),
    readClient: (clientId) => read(() => from.client(clientId)),
  }
}

function oauthStore({ reader, writer, read, write, seconds }: Desk): OAuthStore {
  const from = oauthReads(reader, seconds)
  const to = oauthWrites(writer, seconds)
  return {
    putOAuth: (model, id, payload, keys, expiresAt) =>
      write(() => to.put(model, id, payload, keys, expiresAt)),
    readOAuth: (model, id) => read(() => from.read(model, id)),
    readOAuthBy: (model, key, value) => read(() => from.readBy(model, key, value)),
    consumeOAuth: (model, id, at) => write(() => to.consume(model, id, at)),
    deleteOAuth: (model, id) => write(() => to.delete(model, id)),
    deleteOAuthGrant: (grantId) => write(() => to.deleteGrant(grantId)),
  }
}
