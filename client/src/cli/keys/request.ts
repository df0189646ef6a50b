import {
  canonicalize,
  CountersignError,
  formatEvent,
  isJsonObject,
  parseEvent,
  parseStrictJson,
  refuse,
  type JsonObject,
  type KeyAddEvent,
  type KeyEvent,
  type KeyRevokeEvent,
  type NamespaceEvent,
} from '../../core/index.js'
import { readInput } from '../files.js'
import { bold, pairs, type Line } from '../output.js'

/** A key event on its way from authority to authority. */
export interface KeyRequest {
  /** Identity of the registry that it is signed for. */
  readonly registry: string
  readonly event:
    Omit<NamespaceEvent, 'sigs'> | Omit<KeyAddEvent, 'sig' | 'sigs'> | Omit<KeyRevokeEvent, 'sig' | 'sigs'>
  readonly sigs: readonly string[]
}

const FORMAT = 'countersign/key-request/v1'
const MAX_BYTES = 16 * 1024
/** Stands where signatures will, so that an event without any has the shape of one. */
const PLACEHOLDER = 'AA..AA'

export function formatRequest({ registry, event, sigs }: KeyRequest): string {
  return `${JSON.stringify({ format: FORMAT, registry, event, sigs }, undefined, 2)}\n`
}

/**
 * A request out of a file that came from somebody else: strictly JSON, and an event of exactly its members. Its
 * signatures are not checked here.
 * @throws CountersignError `io`, `usage`
 */
export function readRequest(file: string): KeyRequest {
  try {
    return parseRequest(readInput(file, MAX_BYTES))
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code === 'io') throw cause
    throw new CountersignError('usage', `${file} is no key request: ${cause.message}`, cause.detail, {
      cause,
    })
  }
}

function parseRequest(bytes: Uint8Array): KeyRequest {
  const value = parseStrictJson(bytes, { maxBytes: MAX_BYTES })
  if (!isJsonObject(value) || value['format'] !== FORMAT) refuse('usage', `its format is not ${FORMAT}`)
  const { registry, event, sigs } = value
  if (typeof registry !== 'string' || !isJsonObject(event ?? null)) refuse('usage', 'a member is missing')
  if (!Array.isArray(sigs) || sigs.length > 32 || !sigs.every((one) => typeof one === 'string')) {
    refuse('usage', 'sigs is a list of signatures')
  }
  return { registry, event: parseUnsigned(event as JsonObject), sigs }
}

/** The event as the log would take it, without the signatures of the authorities. */
function parseUnsigned(event: JsonObject): KeyRequest['event'] {
  const parsed = parseEvent(canonicalize({ ...event, sigs: [PLACEHOLDER] }))
  if (parsed.t !== 'namespace' && parsed.t !== 'key.add' && parsed.t !== 'key.revoke') {
    refuse('usage', 'it is no event about keys')
  }
  formatEvent(parsed)
  return withoutSigs(parsed)
}

function withoutSigs(event: KeyEvent): KeyRequest['event'] {
  const unsigned = { ...event }
  delete unsigned.sigs
  return unsigned
}

/** What signing it would mean, member by member. */
export function eventLines({ registry, event, sigs }: KeyRequest): Line[] {
  const rows: [string, string][] = [
    ['registry', registry],
    ['namespace', event.namespace],
    ['key', event.kid],
    ...detailRows(event),
    ['signed by', `${sigs.length} so far`],
  ]
  return [[bold(TITLES[event.t])], ...pairs(rows)]
}

const TITLES: Readonly<Record<KeyEvent['t'], string>> = {
  namespace: 'first key of a namespace',
  'key.add': 'new key of a namespace',
  'key.revoke': 'end of a key',
}

function detailRows(event: KeyRequest['event']): [string, string][] {
  switch (event.t) {
    case 'namespace':
      return [
        ['account', event.account],
        ['proof', event.proof],
      ]
    case 'key.add':
      return [
        ['role', event.role],
        ['after', `log index ${event.after}`],
      ]
    case 'key.revoke':
      return [
        ['reason', event.reason],
        ['counts until', event.invalidFrom === undefined ? 'it is logged' : `log index ${event.invalidFrom}`],
        ['after', `log index ${event.after}`],
      ]
  }
}
