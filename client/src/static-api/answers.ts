import {
  CountersignError,
  decodeBase64,
  isDigest,
  isJsonObject,
  parseServerName,
  parseStrictJson,
  refuse,
  type JsonObject,
  type JsonValue,
} from '../core/index.js'
import type { LookupResult, VersionSummary } from './api.js'

export const MAX_LIST_BYTES = 4 * 1024 * 1024
export const MAX_PROOF_BYTES = 16 * 1024
const MAX_VERSIONS = 4096
const MAX_SERVERS = 64

/** What does not parse is an answer of no registry. @throws CountersignError `registry-error` */
export function answer<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code === 'registry-error') throw error
    throw new CountersignError('registry-error', 'the registry’s answer is malformed', {}, { cause: error })
  }
}

function malformed(what: string): never {
  return refuse('registry-error', `the registry’s answer is malformed: ${what}`)
}

/** A list that is a member of a JSON document. */
export function parseMember(bytes: Uint8Array, name: string): JsonValue[] {
  const value = parseStrictJson(bytes, { maxBytes: MAX_LIST_BYTES })
  const list = isJsonObject(value) ? value[name] : undefined
  return Array.isArray(list) ? list : malformed(`no list of ${name}`)
}

/** The document behind `GET /v1/consistency`. @throws CountersignError `registry-error` */
export function parseConsistency(bytes: Uint8Array): Uint8Array[] {
  return answer(() =>
    parseMember(bytes, 'proof').map((hash) =>
      typeof hash === 'string' ? decodeBase64(hash) : malformed('a proof'),
    ),
  )
}

/** The document behind `GET /v1/servers/{name}/versions`. @throws CountersignError `registry-error` */
export function parseVersions(bytes: Uint8Array): VersionSummary[] {
  return answer(() => {
    const list = parseMember(bytes, 'versions')
    if (list.length > MAX_VERSIONS) malformed('too many versions')
    return list.map((entry) => parseSummary(isJsonObject(entry) ? entry : malformed('a version')))
  })
}

const STATUSES = ['pending', 'approved', 'rejected', 'withdrawn', 'deprecated', 'revoked'] as const

/** One version of a list; `role` where the list says it once for all. */
export function parseSummary(entry: JsonObject, role?: LookupResult['role']): VersionSummary {
  const { version, manifest, index } = entry
  const status = STATUSES.find((one) => one === entry['status'])
  if (typeof version !== 'string' || typeof manifest !== 'string' || !isDigest(manifest))
    malformed('a version')
  if (status === undefined) malformed('a status')
  return {
    version,
    manifest,
    role: role ?? parseRole(entry['role']),
    status,
    index: typeof index === 'number' ? index : 0,
  }
}

function parseRole(role: JsonValue | undefined): LookupResult['role'] {
  return role === 'publisher' || role === 'voucher' ? role : malformed('a role')
}

/** One server of a look-up and its versions, each made by `read`. */
export interface ListedServer<Version> {
  readonly server: string
  readonly role: LookupResult['role']
  readonly versions: readonly Version[]
}

type ReadVersion<Version> = (entry: JsonObject, role: LookupResult['role']) => Version

/** The document behind `GET /v1/lookup`. @throws CountersignError `registry-error` */
export function parseLookup(bytes: Uint8Array): LookupResult[] {
  return parseServers(bytes, parseSummary)
}

/** The servers of a look-up, in any of its forms. @throws CountersignError `registry-error` */
export function parseServers<Version>(
  bytes: Uint8Array,
  read: ReadVersion<Version>,
  maxServers = MAX_SERVERS,
): ListedServer<Version>[] {
  return answer(() => {
    const list = parseMember(bytes, 'servers')
    if (list.length > maxServers) malformed('too many servers')
    return list.map((entry) => parseServer(isJsonObject(entry) ? entry : malformed('a server'), read))
  })
}

function parseServer<Version>(entry: JsonObject, read: ReadVersion<Version>): ListedServer<Version> {
  const { server, versions } = entry
  if (typeof server !== 'string') malformed('a server')
  if (!Array.isArray(versions)) malformed('versions')
  if (versions.length > MAX_VERSIONS) malformed('too many versions')
  const role = parseRole(entry['role'])
  return {
    server: parseServerName(server).name,
    role,
    versions: versions.map((one) => read(isJsonObject(one) ? one : malformed('a version'), role)),
  }
}
