import type { IncomingHttpHeaders } from 'node:http'
import { isJsonObject } from '../../core/index.js'
import { modernEnvelope, VERSION_KEY, type RequestFrame } from '../../guard/frames.js'
import { decodeHeaderValue, formatParamHeaders, nameInBody, type HeaderParam } from '../param-headers.js'

/** MCP 2026-07-28: a header and the body tell two things. */
export const HEADER_MISMATCH = -32020

/**
 * The first header of a 2026 request that does not say what its body says: whoever decided by the headers on the way here
 * decided about another request.
 */
export function mismatchedHeader(
  { method, params }: RequestFrame,
  headers: IncomingHttpHeaders,
  declared: readonly HeaderParam[],
): string | undefined {
  const expected = new Map<string, unknown>([
    ['mcp-protocol-version', modernEnvelope(params)?.[VERSION_KEY]],
    ['mcp-method', method],
  ])
  const name = nameInBody(method, params)
  if (name !== undefined) expected.set('mcp-name', name)
  const args = params?.['arguments']
  const wanted = formatParamHeaders(declared, isJsonObject(args) ? args : {})
  for (const { header } of declared) {
    const value = wanted[header]
    expected.set(header, value === undefined ? undefined : decodeHeaderValue(value))
  }
  for (const [header, value] of expected) {
    const said = headers[header]
    if ((typeof said === 'string' ? decodeHeaderValue(said) : said) !== value) return header
  }
  return undefined
}
