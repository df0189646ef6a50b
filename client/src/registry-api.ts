import {
  CountersignError,
  decodeBase64,
  isDigest,
  isJsonObject,
  MAX_BUNDLE_BYTES,
  MAX_REVOCATIONS_BYTES,
  MAX_STATUS_BYTES,
  parseServerName,
  parseStrictJson,
  parseText,
  refuse,
  type Digest,
  type JsonObject,
  type JsonValue,
} from './core/index.js'

/** A version as the registry lists it. A hint: what counts is proved from its bundle. */
export interface VersionSummary {
  readonly version: string
  readonly manifest: Digest
  readonly role: 'publisher' | 'voucher'
  readonly status: 'pending' | 'approved' | 'rejected' | 'withdrawn' | 'deprecated' | 'revoked'
  readonly index: number
}

/** A server that is said to speak for a package or URL. A hint as well. */
export interface LookupResult {
  readonly server: string
  readonly role: 'publisher' | 'voucher'
  readonly versions: readonly VersionSummary[]
}

/**
 * What a host asks a registry, or any dumb mirror of it. Nothing that comes back is believed before it is verified.
 * Throws `registry-unreachable` when there was no answer and `registry-error` when the answer is none of these.
 */
export interface RegistryApi {
  fetchStatus(): Promise<Uint8Array>
  fetchBundle(digest: Digest): Promise<Uint8Array>
  /** The hashes of the proof that the tree of size `from` is a prefix of the one of size `to`. */
  fetchConsistency(from: number, to: number): Promise<Uint8Array[]>
  fetchRevocations(rootHex: string): Promise<Uint8Array>
  /** Undefined when there is no such version (yet). */
  fetchRoot(version: number | 'latest'): Promise<string | undefined>
  /** Newest first; empty when the registry does not know the server. */
  fetchVersions(server: string): Promise<VersionSummary[]>
  lookup(query: { readonly package?: string; readonly url?: string }): Promise<LookupResult[]>
}

export interface RegistryApiOptions {
  readonly fetch?: typeof fetch
  /** For one request with its body; 10 000 when absent. */
  readonly timeoutMs?: number
  /** Plain HTTP to other machines than this one. Nothing secret is sent, but who asks for what can be seen. */
  readonly allowHttp?: boolean
}

const MAX_NOTE_BYTES = 512 * 1024
const MAX_PROOF_BYTES = 16 * 1024
const MAX_LIST_BYTES = 4 * 1024 * 1024
const MAX_VERSIONS = 4096
const MAX_SERVERS = 64

/**
 * Speaks to a registry over HTTPS: sizes and time are capped, redirects are refused, no credentials are sent.
 * @throws CountersignError `usage` when the URL is not https (http is for loopback addresses)
 */
export function registryApi(url: string, options: RegistryApiOptions = {}): RegistryApi {
  const base = parseRegistryUrl(url, options.allowHttp === true)
  const get = (path: string, maxBytes: number): Promise<Uint8Array | undefined> =>
    fetchBytes(new URL(`v1/${path}`, base), maxBytes, options)
  const need = async (path: string, maxBytes: number): Promise<Uint8Array> =>
    (await get(path, maxBytes)) ??
    refuse('registry-error', 'the registry does not have this', { path, status: 404 })

  return {
    fetchStatus: () => need('status', MAX_STATUS_BYTES),
    fetchBundle: (digest) => need(`bundles/${digest}`, MAX_BUNDLE_BYTES),
    async fetchConsistency(from, to) {
      return parseConsistency(await need(`consistency?from=${from}&to=${to}`, MAX_PROOF_BYTES))
    },
    fetchRevocations: (rootHex) => need(`revocations/${rootHex}`, MAX_REVOCATIONS_BYTES),
    async fetchRoot(version) {
      const bytes = await get(`root/${version}`, MAX_NOTE_BYTES)
      return bytes && answer(() => parseText(bytes, MAX_NOTE_BYTES))
    },
    async fetchVersions(server) {
      const { name } = parseServerName(server)
      const bytes = await get(`servers/${name}`, MAX_LIST_BYTES)
      return bytes === undefined ? [] : answer(() => parseVersions(member(bytes, 'versions')))
    },
    async lookup(query) {
      const search = new URLSearchParams({
        ...(query.package !== undefined && { package: query.package }),
        ...(query.url !== undefined && { url: query.url }),
      })
      const bytes = await get(`lookup?${search.toString()}`, MAX_LIST_BYTES)
      return bytes === undefined ? [] : answer(() => parseLookup(member(bytes, 'servers')))
    },
  }
}

function parseRegistryUrl(text: string, allowHttp: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : refuse('usage', 'the registry is named by its URL')
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  url.search = ''
  url.hash = ''
  const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  if (url.username !== '' || url.password !== '') refuse('usage', 'a registry URL carries no credentials')
  if (url.protocol === 'https:' || (url.protocol === 'http:' && (loopback || allowHttp))) return url
  return refuse('usage', 'a registry is reached by https; http is for this machine only', { url: url.origin })
}

/** Undefined for 404; everything else that is not 200 is an error. */
async function fetchBytes(
  url: URL,
  maxBytes: number,
  { fetch: send = fetch, timeoutMs = 10_000 }: RegistryApiOptions,
): Promise<Uint8Array | undefined> {
  try {
    // The signal stays on the body: a registry that dribbles bytes is as unreachable as a silent one.
    const response = await send(url, {
      redirect: 'error',
      credentials: 'omit',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { accept: 'application/json, text/plain' },
    })
    if (response.status === 404) {
      await response.body?.cancel()
      return undefined
    }
    if (response.status !== 200) return await refuseStatus(response, url)
    return await readCapped(response, maxBytes)
  } catch (error) {
    if (error instanceof CountersignError) throw error
    throw new CountersignError(
      'registry-unreachable',
      'the registry does not answer',
      { url: url.href },
      { cause: error },
    )
  }
}

async function refuseStatus(response: Response, url: URL): Promise<never> {
  await response.body?.cancel()
  const code = response.status >= 500 || response.status === 429 ? 'registry-unreachable' : 'registry-error'
  return refuse(code, `the registry answered ${response.status}`, { url: url.href, status: response.status })
}

async function readCapped(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader()
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    length += part.value.length
    if (length > maxBytes) {
      await reader?.cancel()
      refuse('registry-error', 'the registry’s answer is too large', { maxBytes })
    }
    chunks.push(part.value)
  }
  return joined(chunks, length)
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** What does not parse is an answer of no registry. */
function answer<T>(parse: () => T): T {
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

function member(bytes: Uint8Array, name: string): JsonValue[] {
  const value = parseStrictJson(bytes, { maxBytes: MAX_LIST_BYTES })
  const list = isJsonObject(value) ? value[name] : undefined
  return Array.isArray(list) ? list : malformed(`no list of ${name}`)
}

function parseConsistency(bytes: Uint8Array): Uint8Array[] {
  return answer(() =>
    member(bytes, 'proof').map((hash) =>
      typeof hash === 'string' ? decodeBase64(hash) : malformed('a proof'),
    ),
  )
}

function parseVersions(list: readonly JsonValue[]): VersionSummary[] {
  if (list.length > MAX_VERSIONS) malformed('too many versions')
  return list.map((entry) => parseSummary(isJsonObject(entry) ? entry : malformed('a version')))
}

const STATUSES = ['pending', 'approved', 'rejected', 'withdrawn', 'deprecated', 'revoked'] as const

function parseSummary(entry: JsonObject, role?: LookupResult['role']): VersionSummary {
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

function parseLookup(list: readonly JsonValue[]): LookupResult[] {
  if (list.length > MAX_SERVERS) malformed('too many servers')
  return list.map((entry) => {
    if (!isJsonObject(entry) || typeof entry['server'] !== 'string') return malformed('a server')
    const versions = Array.isArray(entry['versions']) ? entry['versions'] : malformed('versions')
    const role = parseRole(entry['role'])
    if (versions.length > MAX_VERSIONS) malformed('too many versions')
    return {
      server: parseServerName(entry['server']).name,
      role,
      versions: versions.map((v) => parseSummary(isJsonObject(v) ? v : malformed('a version'), role)),
    }
  })
}
