import { isDigest, parseDecimal } from 'countersign/core'
import { LedgerRefusal } from '../../log/errors.js'
import type { Ledger } from '../../log/ledger.js'
import { isPublic } from '../../publish/catalogue.js'
import type { ManifestRow, Store } from '../../storage/store.js'
import { HttpProblem } from '../problems.js'
import { IMMUTABLE, JSON_TYPE, makeDocument, TEXT, type Document, type Shape } from './document.js'

/** What documents are made from. */
export interface Rooms {
  readonly ledger: Ledger
  readonly store: Store
}

/** A document that never changes, by the groups of its path's pattern. */
export interface Source {
  readonly pattern: RegExp
  /** As the API's index spells it. */
  readonly route: string
  /** What decides about it, where something may. */
  readonly target?: (first: string) => string
  readonly read: (parts: readonly string[], query: URLSearchParams) => Promise<Document | undefined>
}

/** One entry a path: what it serves. */
export function openSources({ ledger, store }: Rooms): readonly Source[] {
  const json: Pick<Shape, 'type' | 'cache'> = { type: JSON_TYPE, cache: IMMUTABLE }
  const text: Pick<Shape, 'type' | 'cache'> = { type: TEXT, cache: IMMUTABLE }
  const note = async (value: string | undefined, route: string): Promise<Document | undefined> =>
    value === undefined ? undefined : makeDocument(Buffer.from(value), { ...text, route })
  return [
    {
      pattern: /^\/v1\/bundles\/([^/]+)$/,
      route: '/v1/bundles/:digest',
      target: (digest) => `manifest:${digest}`,
      async read([digest = '']) {
        const row = await readPublic({ ledger, store }, digest)
        if (row === undefined) return undefined
        const shape: Shape = { ...json, route: this.route, compress: true }
        return makeDocument(await ledger.bundleFor(row), shape, targetsOf(row))
      },
    },
    {
      pattern: /^\/v1\/revocations\/([0-9a-f]{64})$/,
      route: '/v1/revocations/:root',
      async read([root = '']) {
        const list = await ledger.revocationList(root)
        return list && makeDocument(list, { ...text, route: this.route, compress: true })
      },
    },
    {
      pattern: /^\/v1\/policies\/([^/]+)$/,
      route: '/v1/policies/:digest',
      async read([digest = '']) {
        const kept = isDigest(digest) ? await store.readPolicy(digest) : undefined
        return kept === undefined
          ? undefined
          : makeDocument(Buffer.from(kept), { ...json, route: this.route, compress: true })
      },
    },
    {
      pattern: /^\/v1\/consistency$/,
      route: '/v1/consistency',
      async read(_, query) {
        const body = await proveConsistency(ledger, query)
        return makeDocument(Buffer.from(JSON.stringify(body)), { ...json, route: this.route })
      },
    },
    {
      pattern: /^\/v1\/root\/(\d{1,16})$/,
      route: '/v1/root/:version',
      async read([version = '']) {
        return note(ledger.rootNote(parseDecimal(version)), this.route)
      },
    },
    {
      pattern: /^\/log\/(tile\/.+)$/,
      route: '/log/tile',
      async read([path = '']) {
        return tileDocument(await ledger.tile(path), path, this.route)
      },
    },
    {
      pattern: /^\/log\/([1-9]\d{0,3})\/checkpoint$/,
      route: '/log/:number/checkpoint',
      async read([number]) {
        return note(ledger.frozenNote(Number(number)), this.route)
      },
    },
    {
      pattern: /^\/log\/([1-9]\d{0,3})\/(tile\/.+)$/,
      route: '/log/:number/tile',
      async read([number, path = '']) {
        return tileDocument(await ledger.tile(path, Number(number)), path, this.route)
      },
    },
  ]
}

async function readPublic({ ledger, store }: Rooms, digest: string): Promise<ManifestRow | undefined> {
  const row = isDigest(digest) ? await store.readManifest(digest) : undefined
  return row !== undefined && isPublic(row, ledger) ? row : undefined
}

/** Whatever a decision about changes the bundle. */
function targetsOf({ manifest, server, toolDigests }: ManifestRow): string[] {
  return [
    ...new Set([
      `manifest:${manifest}`,
      `server:${server}`,
      ...toolDigests.map(({ digest }) => `tool:${digest}`),
    ]),
  ]
}

/** Entries are text; a tile of hashes says nothing shorter. */
function tileDocument(
  bytes: Uint8Array | undefined,
  path: string,
  route: string,
): Promise<Document | undefined> {
  if (bytes === undefined) return Promise.resolve(undefined)
  const shape: Shape = { route, type: 'application/octet-stream', cache: IMMUTABLE }
  return makeDocument(bytes, path.startsWith('tile/entries/') ? { ...shape, compress: true } : shape)
}

/** `?from=&to=` and `log` for a frozen one: nothing is proved of what is not published yet. */
async function proveConsistency(ledger: Ledger, query: URLSearchParams): Promise<unknown> {
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
  return { ...(origin === undefined ? {} : { log: origin }), from, to, proof }
}

function outOfRange(): HttpProblem {
  return new HttpProblem('request-invalid', 'give 1 <= from <= to <= the published size of a log we have')
}
