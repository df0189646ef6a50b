import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isDigest, parseDecimal } from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import type { Ledger } from '../log/ledger.js'
import { isPublic } from '../publish/catalogue.js'
import type { Store } from '../storage/store.js'
import { HttpProblem } from './problems.js'

/** Finished bytes: what every host fetches, without a token, from here or from any mirror. */
interface Document {
  readonly body: Uint8Array
  readonly type: string
  readonly etag: string
  readonly cache: string
}

export interface StaticReads {
  /** Answers immutable and moving documents; false when the path is not one of them. */
  answer(req: IncomingMessage, res: ServerResponse): Promise<boolean>
  /** A bundle that was built anew: published again under another key, and approved again. */
  forget(digest: string): void
}

/** The groups of a path's pattern. */
type Parts = readonly (string | undefined)[]

const IMMUTABLE = 'public, max-age=31536000, immutable'
const MOVING = 'public, max-age=5'
const JSON_TYPE = 'application/json'
const TEXT = 'text/plain; charset=utf-8'
const MAX_CACHED_BYTES = 64 * 1024 * 1024

/**
 * The reads that need no person, no token and no Express: bundles, tiles, roots, revocations, proofs, and the
 * status.
 */
export function openStaticReads({ ledger, store }: { ledger: Ledger; store: Store }): StaticReads {
  const cache = openCache()
  const text = (value: string | undefined, cacheControl: string): Document | undefined =>
    value === undefined ? undefined : document(Buffer.from(value), TEXT, cacheControl)

  /** One entry a path: what it serves, how long that holds. */
  const immutable: readonly [
    RegExp,
    (parts: Parts, query: URLSearchParams) => Promise<Document | undefined>,
  ][] = [
    [/^\/v1\/bundles\/([^/]+)$/, ([, digest = '']) => bundle(ledger, store, digest)],
    [/^\/v1\/revocations\/([^/]+)$/, ([, root = '']) => revocations(ledger, root)],
    [/^\/v1\/policies\/([^/]+)$/, ([, digest = '']) => policy(store, digest)],
    [/^\/v1\/consistency$/, (_, query) => consistency(ledger, query)],
    [
      /^\/v1\/root\/(\d{1,16})$/,
      ([, version = '']) => Promise.resolve(text(ledger.rootNote(parseDecimal(version)), IMMUTABLE)),
    ],
    [/^\/log\/(tile\/.+)$/, ([, path = '']) => tile(ledger, path)],
    [
      /^\/log\/([1-9]\d{0,3})\/checkpoint$/,
      ([, number]) => Promise.resolve(text(ledger.frozenNote(Number(number)), IMMUTABLE)),
    ],
    [/^\/log\/([1-9]\d{0,3})\/(tile\/.+)$/, ([, number, path = '']) => tile(ledger, path, Number(number))],
  ]
  const status = memo((body) => document(body, JSON_TYPE, MOVING))
  const moving = new Map<string, () => Document | undefined>([
    ['/v1/status', () => status(ledger.statusDocument())],
    ['/v1/root/latest', () => text(ledger.rootNote('latest'), MOVING)],
    ['/log/checkpoint', () => text(ledger.publishedNote(), MOVING)],
    ['/log/checkpoint.committed', () => text(newestNote(ledger), MOVING)],
    ['/healthz', () => document(Buffer.from('{"status":"ok"}'), JSON_TYPE, 'no-store')],
  ])

  /** A bundle is made again when something of it was reinstated: then the list of what is revoked is another one. */
  const keyOf = (path: string, search = ''): string => {
    if (search !== '') return `${path}?${search}`
    return path.startsWith('/v1/bundles/') ? `${path} ${ledger.publishedRevocations()}` : path
  }

  const find = async (target: string): Promise<Document | 'missing' | undefined> => {
    const { path, search } = splitTarget(target)
    const move = moving.get(path)
    if (move !== undefined) return move() ?? 'missing'
    const key = keyOf(path, search)
    const cached = cache.get(key)
    if (cached !== undefined) return cached
    // One manifest a version, for ever; the bundle itself is kept under its digest only.
    const version = /^\/v1\/servers\/([^/]+\/[^/]+)\/versions\/([^/]+)\/bundle$/.exec(path)
    if (version !== null) {
      const row = await store.readVersion(version[1] ?? '', version[2] ?? '')
      return row === undefined ? 'missing' : find(`/v1/bundles/${row.manifest}`)
    }
    for (const [pattern, read] of immutable) {
      const parts = pattern.exec(path)
      if (parts === null) continue
      const found = await read(parts, new URLSearchParams(search))
      if (found === undefined) return 'missing'
      cache.put(key, found)
      return found
    }
    return undefined
  }

  return {
    async answer(req, res) {
      if (req.method !== 'GET' && req.method !== 'HEAD') return false
      const found = await find(req.url ?? '')
      if (found === undefined) return false
      if (found === 'missing') throw new HttpProblem('not-found', 'there is nothing here')
      send(req, res, found)
      return true
    },
    forget: (digest) => cache.delete(keyOf(`/v1/bundles/${digest}`)),
  }
}

/** Path and query; only the proof route has a query, so that no other document is kept twice. */
function splitTarget(target: string): { path: string; search: string } {
  const at = target.indexOf('?')
  const raw = at < 0 ? target : target.slice(0, at)
  const path = raw.includes('%') ? decodePath(raw) : raw
  return { path, search: at < 0 || path !== '/v1/consistency' ? '' : target.slice(at + 1) }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw new HttpProblem('request-invalid', 'the path is not UTF-8 in percent encoding')
  }
}

async function bundle(ledger: Ledger, store: Store, digest: string): Promise<Document | undefined> {
  if (!isDigest(digest)) return undefined
  const row = await store.readManifest(digest)
  if (row === undefined || !isPublic(row, ledger)) return undefined
  return document(await ledger.bundleFor(row), JSON_TYPE, IMMUTABLE)
}

async function revocations(ledger: Ledger, root: string): Promise<Document | undefined> {
  const list = /^[0-9a-f]{64}$/.test(root) ? await ledger.revocationList(root) : undefined
  return list === undefined ? undefined : document(list, TEXT, IMMUTABLE)
}

async function policy(store: Store, digest: string): Promise<Document | undefined> {
  const kept = isDigest(digest) ? await store.readPolicy(digest) : undefined
  return kept === undefined ? undefined : document(Buffer.from(kept), JSON_TYPE, IMMUTABLE)
}

/** `?from=&to=` and `log` for a frozen one: nothing is proved of what is not published yet. */
async function consistency(ledger: Ledger, query: URLSearchParams): Promise<Document> {
  const from = parseDecimal(query.get('from') ?? '')
  const to = parseDecimal(query.get('to') ?? '')
  const origin = query.get('log') ?? undefined
  if ([...query.keys()].length !== (origin === undefined ? 2 : 3)) {
    throw new HttpProblem('request-invalid', 'give from and to, once each, and log for a frozen one')
  }
  if (from < 1) throw outOfRange()
  const proof = await ledger.consistencyProof(from, to, origin).catch((cause: unknown) => {
    throw cause instanceof LedgerRefusal && cause.code === 'out-of-range' ? outOfRange() : cause
  })
  const body = { ...(origin === undefined ? {} : { log: origin }), from, to, proof }
  return document(Buffer.from(JSON.stringify(body)), JSON_TYPE, IMMUTABLE)
}

function outOfRange(): HttpProblem {
  return new HttpProblem('request-invalid', 'give 1 <= from <= to <= the published size of a log we have')
}

/** The newest checkpoint the log signed: without a quorum, it is good for denying alone (PROTOCOL 7). */
function newestNote(ledger: Ledger): string {
  const { size, note } = ledger.committed()
  return size > ledger.publishedSize() ? note : ledger.publishedNote()
}

async function tile(ledger: Ledger, path: string, frozenNumber?: number): Promise<Document | undefined> {
  const bytes = await ledger.tile(path, frozenNumber)
  return bytes === undefined ? undefined : document(bytes, 'application/octet-stream', IMMUTABLE)
}

function document(body: Uint8Array, type: string, cache: string): Document {
  return { body, type, cache, etag: `"${createHash('sha256').update(body).digest('base64url')}"` }
}

/** The status is the same bytes for many requests: hash it when it moves. */
function memo(make: (body: Uint8Array) => Document): (body: Uint8Array) => Document {
  let last: Document | undefined
  return (body) => (last?.body === body ? last : (last = make(body)))
}

function send(req: IncomingMessage, res: ServerResponse, { body, type, etag, cache }: Document): void {
  const headers = {
    'Content-Type': type,
    ETag: etag,
    'Cache-Control': cache,
    'Access-Control-Allow-Origin': '*',
    'X-Content-Type-Options': 'nosniff',
  }
  if (holds(req.headers['if-none-match'], etag)) {
    res.writeHead(304, headers).end()
    return
  }
  res.writeHead(200, { ...headers, 'Content-Length': body.length })
  res.end(req.method === 'HEAD' ? undefined : body)
}

/** RFC 9110 13.1.2: any of a list, compared weakly, since a proxy that compresses weakens our tags. */
function holds(header: string | undefined, etag: string): boolean {
  const held = header?.split(',', 32).map((tag) => tag.trim().replace(/^W\//, '')) ?? []
  return held.some((tag) => tag === etag || tag === '*')
}

/** With what the entry itself costs, so that a flood of small proofs is bounded as well. */
function sizeOf({ body }: Document): number {
  return body.length + 1024
}

/** Least recently used documents up to a number of bytes. */
function openCache() {
  const documents = new Map<string, Document>()
  let bytes = 0
  const drop = (key: string): void => {
    const found = documents.get(key)
    if (found === undefined) return
    bytes -= sizeOf(found)
    documents.delete(key)
  }
  return {
    get(key: string): Document | undefined {
      const found = documents.get(key)
      if (found === undefined) return undefined
      documents.delete(key)
      documents.set(key, found)
      return found
    },
    put(key: string, found: Document): void {
      drop(key)
      if (found.body.length > MAX_CACHED_BYTES / 4 || key.length > 512) return
      documents.set(key, found)
      bytes += sizeOf(found)
      for (const oldest of documents.keys()) {
        if (bytes <= MAX_CACHED_BYTES) break
        drop(oldest)
      }
    },
    delete: drop,
  }
}
