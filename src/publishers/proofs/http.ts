import { parseText } from 'countersign/core'
import type { Outside } from '../../net/outside.js'
import { domainOf } from './domain.js'
import { absent, firstPresent, type Look } from './look.js'
import { formatMcpRecord, formatOwnRecord, namesAccount, namesKey, type Wanted } from './records.js'

const MAX_BYTES = 4096
const MAX_LINES = 64

export function wellKnownUrl(domain: string): string {
  return `https://${domain}/.well-known/mcp-registry-auth`
}

/** Looks for the same strings, one a line, at the namespace's own domain: a web server speaks for no other one. */
export function lookAtHttp(outside: Outside, namespace: string, wanted: Wanted): Promise<Look> {
  const domain = domainOf(namespace)
  const url = wellKnownUrl(domain)
  return firstPresent([
    async () => {
      const { status, body } = await outside.request(url, { maxBytes: MAX_BYTES })
      // Somebody who is down or busy has not said no.
      if (status >= 500 || status === 429) return { is: 'unreachable', why: `${url} answers ${status}` }
      if (status !== 200) return absent(`${url} answers ${status}`)
      const lines = readLines(body)
      if (namesAccount(lines, wanted) || namesKey(lines, wanted)) return { is: 'present', subject: domain }
      return absent(`${url} does not name the key`)
    },
  ])
}

function readLines(body: Uint8Array): string[] {
  try {
    return parseText(body, MAX_BYTES).split('\n', MAX_LINES)
  } catch {
    return []
  }
}

/** What to serve where; one of them is enough. */
export function httpRecords(
  namespace: string,
  { registry, account }: Wanted,
  key: { x: string; kid: string },
) {
  const at = wellKnownUrl(domainOf(namespace))
  return [
    { type: 'https', at, value: formatOwnRecord({ registry, account, kid: key.kid }) },
    { type: 'https', at, value: formatMcpRecord(key.x) },
  ] as const
}
