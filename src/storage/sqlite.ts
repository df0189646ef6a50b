import { answer, openConnections, type Connections } from './sqlite/connection.js'
import { openDesk, type Desk } from './sqlite/desk.js'
import { accountReads, accountWrites } from './sqlite/accounts.js'
import { auditReads, auditWrite } from './sqlite/audit.js'
import { batchRunner } from './sqlite/batch.js'
import { catalogueStore } from './sqlite/catalogue.js'
import { checkReads } from './sqlite/check.js'
import {
  directoryLookups,
  directoryPort,
  directoryReads,
  directoryWrites,
  readRevocationList,
} from './sqlite/directory.js'
import { idempotencyStore } from './sqlite/idempotency.js'
import { frozenReads, logReads, logWrites } from './sqlite/log.js'
import { manifestLookups, manifestPort, manifestReads, manifestWrites } from './sqlite/manifests.js'
import { clientStore, oauthStore } from './sqlite/oauth.js'
import { proofWrites } from './sqlite/proofs.js'
import { reviewStore } from './sqlite/review.js'
import { sharedStore } from './sqlite/shared.js'
import { trustedPublisherStore } from './sqlite/trusted-publishers.js'
import { webhookStore } from './sqlite/webhooks.js'
import type { AccountStore, DirectoryStore, LogStore, ManifestStore, Store } from './store.js'

export interface SqliteOptions {
  /** POSIX milliseconds, for everything that expires. */
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
  const desk = openDesk(connections, now)
  const log = logStore(desk)
  const directory = directoryStore(desk)
  return {
    ...log,
    ...checkReads(desk),
    ...directory,
    ...manifestStore(desk),
    ...catalogueStore(desk),
    ...reviewStore(desk),
    ...accountStore(desk),
    ...trustedPublisherStore(desk),
    ...oauthStore(desk),
    ...webhookStore(desk),
    ...idempotencyStore(desk),
    ...sharedStore(desk, { ...log, ...directory }),
    close: () => desk.close(),
  }
}

function logStore({ reader, writer, read, write, take, now }: Desk): LogStore {
  const from = { ...logReads(reader), ...frozenReads(reader) }
  const to = logWrites(writer)
  const runBatch = batchRunner(writer, now)
  return {
    readLogState: () => read(() => from.state()),
    initLog: (state) => write(() => to.init(state)),
    commitBatch: (work) => take(() => runBatch(work)),
    publishCheckpoint: (size, note, over) => write(() => to.publish(size, note, over)),
    readTile: (level, n) => read(() => from.tile(level, n)),
    readEntries: (first, end) => read(() => from.entries(first, end)),
    readLeaf: (position) => read(() => from.leaf(position)),
    readCheckpoint: (size) => read(() => from.checkpoint(size)),
    readFrozenLogs: () => read(() => from.frozenLogs()),
    readFrozenTile: (log, level, n) => read(() => from.frozenTile(log, level, n)),
    readFrozenEntries: (log, first, end) => read(() => from.frozenEntries(log, first, end)),
    readRootNotes: () => read(() => from.rootNotes()),
    latestAbout: (target) => read(() => from.latestAbout(target)),
  }
}

function directoryStore({ reader, writer, read, write, now }: Desk): DirectoryStore {
  const from = { ...directoryReads(reader, now), ...directoryLookups(reader) }
  const to = { ...directoryWrites(writer), ...proofWrites(writer, now) }
  return {
    ...directoryPort(from, read),
    grantNamespace: (namespace, account, by) => write(() => to.grant(namespace, account, by)),
    readGrant: (namespace) => read(() => from.grant(namespace)),
    readAccountNamespaces: (account) => read(() => from.accountNamespaces(account)),
    putChallenge: (row) => write(() => to.putChallenge(row)),
    readChallenge: (challenge) => read(() => from.challenge(challenge)),
    claimProofsDue: (before, limit, at) => write(() => to.claimDue(before, limit, at)),
    recordProofCheck: (row) => write(() => to.checkProof(row)),
    readRevocationList: (rootHex) => readRevocationList(from, read, rootHex),
    readListPosition: (rootHex) => read(() => from.listPosition(rootHex)),
  }
}

function manifestStore({ reader, writer, read, write, now }: Desk): ManifestStore {
  const from = { ...manifestLookups(reader), ...auditReads(reader) }
  const to = { ...manifestWrites(writer, now), audit: auditWrite(writer) }
  return {
    ...manifestPort(manifestReads(reader), read),
    readByStatus: (status, limit, after) => read(() => from.byStatus(status, limit, after)),
    readByLookup: (key) => read(() => from.byLookup(key)),
    readByTool: (tool, limit, after) => read(() => from.byTool(tool, limit, after)),
    listServers: (limit, after, search) => read(() => from.servers(limit, after, search)),
    readBundle: (digest) => read(() => from.bundle(digest)),
    putBundle: (digest, bundle, approveIndex) => write(() => to.bundle(digest, bundle, approveIndex)),
    putPolicy: (digest, text) => write(() => to.policy(digest, text)),
    readPolicy: (digest) => read(() => from.policy(digest)),
    readAudit: (limit, before, filter) => read(() => from.audit(limit, before, filter)),
    readAuditSince: (id, limit) => read(() => from.auditSince(id, limit)),
    addAuditRecord: (row) => write(() => to.audit(row)),
  }
}

function accountStore(desk: Desk): AccountStore {
  const { reader, writer, read, write, now } = desk
  const from = accountReads(reader, now)
  const to = accountWrites(writer, now)
  return {
    ...clientStore(desk),
    createAccount: (row) => write(() => to.createAccount(row)),
    readAccount: (account) => read(() => from.account(account)),
    readAccountByLogin: (login) => read(() => from.byLogin(login)),
    readAccountBySubject: (issuer, sub) => read(() => from.bySubject(issuer, sub)),
    listAccounts: (limit, after) => read(() => from.list(limit, after)),
    updateAccount: (account, change) => write(() => to.updateAccount(account, change)),
    countAccounts: () => read(() => from.count()),
    consumePassword: (account, hash) => write(() => to.consumePassword(account, hash)),
    putCode: (row) => write(() => to.putCode(row)),
    readCode: (hash, kind) => read(() => from.code(hash, kind)),
    redeemInvitation: (hash, row) => write(() => to.redeemInvitation(hash, row)),
    redeemRecovery: (hash, passwordHash, tokensBefore) =>
      write(() => to.redeemRecovery(hash, passwordHash, tokensBefore)),
  }
}
