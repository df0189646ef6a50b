import {
  CountersignError,
  isDigest,
  isJsonObject,
  parseServerName,
  parseVersion,
  refuse,
  type Digest,
  type JsonObject,
} from '../core/index.js'
import type { Call } from './call.js'
import { shownMember } from './members.js'

/** `NAME` or `NAME@VERSION` as typed. */
export interface ServerReference {
  readonly server: string
  readonly version?: string
}

/** @throws CountersignError `usage` */
export function parseReference(text: string): ServerReference {
  const at = text.lastIndexOf('@')
  return asUsage(() => {
    if (at <= 0) return { server: parseServerName(text).name }
    return { server: parseServerName(text.slice(0, at)).name, version: parseVersion(text.slice(at + 1)).text }
  })
}

/** What a person typed wrongly is a usage error, whatever format it broke. */
export function asUsage<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    throw new CountersignError('usage', error.message, error.detail, { cause: error })
  }
}

export interface VersionRow {
  readonly version: string
  readonly manifest: Digest
  readonly status: string
  readonly role: string
  readonly index?: number
}

/** The versions of a server this caller may see, newest first. */
export async function fetchVersionRows(call: Call, server: string): Promise<VersionRow[]> {
  const answer = await call('GET', `/v1/servers/${server}/versions`)
  const rows = isJsonObject(answer) ? answer['versions'] : undefined
  if (!Array.isArray(rows)) refuse('registry-error', 'the registry lists no versions')
  return rows.filter(isJsonObject).map(toRow)
}

function toRow(row: JsonObject): VersionRow {
  const { version, manifest, index } = row
  if (typeof version !== 'string' || typeof manifest !== 'string' || !isDigest(manifest)) {
    refuse('registry-error', 'the registry lists a malformed version')
  }
  return {
    version,
    manifest,
    status: shownMember(row, 'status'),
    role: shownMember(row, 'role'),
    ...(typeof index === 'number' && { index }),
  }
}

/**
 * The digest behind a digest, `NAME@VERSION`, or `NAME`: for the latter the newest version in one of the wanted statuses.
 * @throws CountersignError `usage`, `registry-refused`
 */
export async function resolveDigest(call: Call, text: string, wanted: readonly string[]): Promise<Digest> {
  if (isDigest(text)) return text
  const { server, version } = parseReference(text)
  const rows = await fetchVersionRows(call, server)
  const row = rows.find((one) =>
    version === undefined ? wanted.includes(one.status) : one.version === version,
  )
  if (row === undefined) {
    refuse(
      'registry-refused',
      `${text} has no ${version === undefined ? `${wanted.join(' or ')} version` : 'such version'}`,
      {
        code: 'not-found',
      },
    )
  }
  return row.manifest
}

/**
 * What a registry shows under a name must be signed with that name: else a decision about one server would be given to
 * another.
 * @throws CountersignError `registry-error`
 */
export function assertNamed(typed: string, signed: { server: string; version: string }): void {
  if (isDigest(typed)) return
  const { server, version } = parseReference(typed)
  if (signed.server === server && (version === undefined || signed.version === version)) return
  refuse('registry-error', 'the registry shows another server than the one asked for', {
    asked: typed,
    signed: `${signed.server}@${signed.version}`,
  })
}

/**
 * An approver’s signature counts against the registry itself, which therefore does not choose what a name stands for.
 * @throws CountersignError `usage`
 */
export function assertReadDigest(typed: string): void {
  if (isDigest(typed)) return
  refuse(
    'usage',
    `an approver signs the digest that was read, and not a name: see \`countersign admin show ${typed}\``,
  )
}
