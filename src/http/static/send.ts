import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Document, Variant } from './document.js'

/** Writes the document, or that the caller has it already; the status that was answered. */
export function sendDocument(
  req: IncomingMessage,
  res: ServerResponse,
  document: Document,
  isPrivate = false,
): number {
  const { headers } = req
  const variant = choose(document, headers['accept-encoding'])
  const held = headers['if-none-match']
  if (held !== undefined) {
    const known = knownTo(held, variant, document.plain)
    if (known !== undefined) {
      res.writeHead(304, isPrivate ? privately(known.unchanged) : known.unchanged).end()
      return 304
    }
  }
  res.writeHead(200, isPrivate ? privately(variant.whole) : variant.whole)
  res.end(req.method === 'HEAD' ? undefined : variant.body)
  return 200
}

/** What a page of another origin asks before it sends `If-None-Match`; there is nothing here that it may not read. */
export function sendPreflight(res: ServerResponse): number {
  res.writeHead(204, PREFLIGHT).end()
  return 204
}

const PREFLIGHT = [
  ...['Access-Control-Allow-Origin', '*', 'Access-Control-Allow-Methods', 'GET, HEAD'],
  ...['Access-Control-Allow-Headers', 'Authorization, DPoP, If-None-Match'],
  ...['Access-Control-Max-Age', '86400', 'Content-Length', '0'],
]

function choose({ plain, gzip }: Document, accepted: string | undefined): Variant {
  return gzip !== undefined && accepted !== undefined && acceptsGzip(accepted) ? gzip : plain
}

/** RFC 9110 12.5.3: `gzip` by its name, or what `*` says of it; never at a weight of 0. */
export function acceptsGzip(header: string): boolean {
  let anything = false
  for (const part of header.toLowerCase().split(',', 16)) {
    const [coding = '', ...parameters] = part.split(';').map((word) => word.trim())
    const isWanted = !parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter))
    if (coding === 'gzip' || coding === 'x-gzip') return isWanted
    if (coding === '*') anything = isWanted
  }
  return anything
}

/**
 * RFC 9110 13.1.2: any of a list, compared weakly, since a proxy that compresses weakens our tags. Whoever holds the
 * plain bytes needs no compressed ones.
 */
function knownTo(header: string, chosen: Variant, plain: Variant): Variant | undefined {
  for (const tag of header.split(',', 32)) {
    const held = tag.trim().replace(/^W\//, '')
    if (held === chosen.etag || held === '*') return chosen
    if (held === plain.etag) return plain
  }
  return undefined
}

/** For one reader: no shared cache may keep it, and no page of another origin is told. */
function privately(headers: readonly string[]): string[] {
  const own: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i], headers[i + 1]]
    if (name === 'Access-Control-Allow-Origin') continue
    own.push(name, name === 'Cache-Control' ? value.replace('public', 'private') : value)
  }
  return own
}
