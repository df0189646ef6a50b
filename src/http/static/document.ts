import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip, gzipSync } from 'node:zlib'
import { OPEN_DOCUMENT } from '../cors.js'

/** One representation of a document, with everything that is sent of it made once. */
export interface Variant {
  readonly body: Uint8Array
  readonly etag: string
  /** Names and values in turn, as `writeHead` takes them without looking at each. */
  readonly whole: string[]
  readonly unchanged: string[]
}

/** Finished bytes: what every host fetches, from here or from any mirror. */
export interface Document {
  /** The pattern of its path. */
  readonly route: string
  readonly plain: Variant
  readonly gzip: Variant | undefined
  /** What its bytes depend on besides its name, as targets of decisions: `manifest:…`, `server:…`, `tool:…`. */
  readonly about: readonly string[]
}

export interface Shape {
  readonly route: string
  readonly type: string
  readonly cache: string
  /** Whether other bytes may say the same shorter; hashes and signatures do not. */
  readonly compress?: true
}

export const IMMUTABLE = 'public, max-age=31536000, immutable'
export const MOVING = 'public, max-age=5'
export const JSON_TYPE = 'application/json'
export const TEXT = 'text/plain; charset=utf-8'

/** Larger ones are not kept, and so not compressed either: that would be done for every reader again. */
export const LARGEST_KEPT = 16 * 1024 * 1024
/** One packet carries this much anyway. */
const SMALLEST_COMPRESSED = 1400

const compress = promisify(gzip)

/** The document with its compressed form, where that is worth it; made outside of this thread. */
export async function makeDocument(
  body: Uint8Array,
  shape: Shape,
  about: readonly string[] = [],
): Promise<Document> {
  return documentOf(body, isWorthTrying(body, shape) ? await compress(body) : undefined, shape, about)
}

/** The same at once, for what is small and moves. */
export function smallDocument(body: Uint8Array, shape: Shape): Document {
  return documentOf(body, isWorthTrying(body, shape) ? gzipSync(body) : undefined, shape, [])
}

function isWorthTrying(body: Uint8Array, { compress: isAsked }: Shape): boolean {
  return isAsked === true && body.length >= SMALLEST_COMPRESSED && body.length <= LARGEST_KEPT
}

function documentOf(
  body: Uint8Array,
  packed: Uint8Array | undefined,
  shape: Shape,
  about: readonly string[],
): Document {
  const { route } = shape
  if (packed === undefined || packed.length > body.length * 0.9) {
    return { route, about, plain: variant(body, shape, []), gzip: undefined }
  }
  const vary = ['Vary', 'Accept-Encoding']
  const encoded = ['Content-Encoding', 'gzip']
  return {
    route,
    about,
    plain: variant(body, shape, vary),
    gzip: variant(packed, shape, vary, encoded),
  }
}

/** A strong tag names these bytes: the compressed ones have another. */
function variant(
  body: Uint8Array,
  { type, cache }: Shape,
  vary: readonly string[],
  encoded: readonly string[] = [],
): Variant {
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  const unchanged = [
    ...['Content-Type', type, 'ETag', etag, 'Cache-Control', cache],
    ...Object.entries(OPEN_DOCUMENT).flat(),
    ...['X-Content-Type-Options', 'nosniff'],
    ...vary,
  ]
  const whole = [...unchanged, ...encoded, 'Content-Length', String(body.length)]
  return { body: ownBytes(body), etag, whole, unchanged }
}

/**
 * As a socket takes it: other arrays are turned into this at every write. A few bytes of something larger would hold
 * all of it for as long as they are kept.
 */
function ownBytes(body: Uint8Array): Buffer {
  const own = body.length < body.buffer.byteLength ? new Uint8Array(body) : body
  return Buffer.from(own.buffer, own.byteOffset, own.byteLength)
}

/** With what the entry itself costs, so that a flood of small proofs is bounded as well. */
export function sizeOf({ plain, gzip: packed }: Document): number {
  return plain.body.length + (packed?.body.length ?? 0) + 2048
}
