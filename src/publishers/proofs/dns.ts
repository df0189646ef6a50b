import type { Outside } from '../../net/outside.js'
import { domainOf, domainsAbove } from './domain.js'
import { absent, firstPresent, type Look } from './look.js'
import { formatMcpRecord, formatOwnRecord, namesAccount, namesKey, type Wanted } from './records.js'

const OWN_LABEL = '_countersign'

/**
 * Looks for a TXT record at the namespace's domain and at those it lies below: the MCP Registry's at the name itself,
 * ours at `_countersign` below it. A domain's word counts for everything under it, and never for what is above.
 */
export function lookAtDns(outside: Outside, namespace: string, wanted: Wanted): Promise<Look> {
  const names = domainsAbove(domainOf(namespace)).flatMap((domain) => [
    { domain, name: `${OWN_LABEL}.${domain}`, holds: namesAccount },
    { domain, name: domain, holds: namesKey },
  ])
  return firstPresent(
    names.map(({ domain, name, holds }) => async () => {
      const records = await outside.resolveTxt(`${name}.`)
      if (holds(records, wanted)) return { is: 'present', subject: domain }
      return absent(`no TXT record of ${name} names the key`)
    }),
  )
}

/** Where which record goes; one of them is enough. */
export function dnsRecords(
  namespace: string,
  { registry, account }: Wanted,
  key: { x: string; kid: string },
) {
  const domain = domainOf(namespace)
  return [
    {
      type: 'TXT',
      at: `${OWN_LABEL}.${domain}`,
      value: formatOwnRecord({ registry, account, kid: key.kid }),
    },
    { type: 'TXT', at: domain, value: formatMcpRecord(key.x) },
  ] as const
}
