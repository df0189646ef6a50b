import type { IncomingMessage, ServerResponse } from 'node:http'
import { holdsTag } from '../conditional.js'
import { OPEN_DOCUMENT, PREFLIGHT } from '../cors.js'
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
  // Whoever holds the plain bytes needs no compressed ones.
  const known = held && [variant, document.plain].find(({ etag }) => holdsTag(held, etag))
  if (known) {
    res.writeHead(304, isPrivate ? privately(known.unchanged) : known.unchanged).end()
    return 304
  }
  res.writeHead(200, isPrivate ? privately(variant.whole) : variant.whole)
  res.end(req.method === 'HEAD' ? undefined : variant.body)
  return 200
}

/** What a page of another origin asks before it sends `If-None-Match`; there is nothing here that it may not read. */
export function sendPreflight(res: ServerResponse): number {
  res.writeHead(204, { ...PREFLIGHT, 'Content-Length': '0' }).end()
  return 204
}

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

/** For one reader: no shared cache may keep it, and no page of another origin is told. */
function privately(headers: readonly string[]): string[] {
  const own: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i], headers[i + 1]]
    if (Object.hasOwn(OPEN_DOCUMENT, name)) continue
    own.push(name, name === 'Cache-Control' ? value.replace('public', 'private') : value)
  }
  return own
}
