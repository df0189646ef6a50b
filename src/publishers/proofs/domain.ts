import { refuse } from 'countersign/core'
import { LedgerRefusal } from '../../log/errors.js'
import type { ProofRow } from '../../storage/store.js'
import { findIssuer, type NamespaceIssuer } from './issuers.js'

/** Ends of names that nobody owns on the internet: a machine, a network or a protocol answers for them. */
const UNOWNED = new Set(['localhost', 'local', 'internal', 'onion', 'arpa', 'invalid', 'alt'])
/** How many labels below a domain may stand: each level is asked for, nearest first. */
const MAX_LABELS = 8

/** One spelling of each namespace: two that differ in case would be two owners of one server name. */
export function assertLowerCase(namespace: string): void {
  if (namespace !== namespace.toLowerCase()) refuse('name-invalid', 'a namespace is enrolled in lower case')
}

/** Whether this kind of proof can say anything about the namespace. Throws `proof-kind`. */
export function assertProvable(
  namespace: string,
  kind: ProofRow['kind'],
  issuers: readonly NamespaceIssuer[],
): void {
  const issuer = findIssuer(issuers, namespace)
  if (kind === 'oidc' && issuer === undefined) {
    throw wrongKind('no identity provider speaks for this namespace', namespace, kind)
  }
  if (kind !== 'oidc' && issuer !== undefined) {
    throw wrongKind(`namespaces below ${issuer.prefix} are proved by its identity provider`, namespace, kind)
  }
  if (kind !== 'oidc') domainOf(namespace)
}

/**
 * The domain whose reverse the namespace is. Throws `proof-kind` for what is no domain on the internet: an address, a
 * name of one machine, an invalid internationalised label.
 */
export function domainOf(namespace: string): string {
  const labels = namespace.split('.').reverse()
  const domain = labels.join('.')
  const [top = ''] = labels.slice(-1)
  if (UNOWNED.has(top)) throw wrongKind(`nobody owns a domain below .${top}`, namespace, 'dns')
  // Digits at the end are an IPv4 address, whatever the notation; xn-- labels must decode.
  const isName = /^[a-z]/.test(top) && labels.length <= MAX_LABELS && domain.length <= 240
  if (!isName || !URL.canParse(`https://${domain}`) || new URL(`https://${domain}`).hostname !== domain) {
    throw wrongKind(`${domain} is no domain`, namespace, 'dns')
  }
  return domain
}

/** The domain and those it lies below, down to two labels, nearest first: whose word counts for it. */
export function domainsAbove(domain: string): string[] {
  const labels = domain.split('.')
  return labels.slice(0, -1).map((_, below) => labels.slice(below).join('.'))
}

function wrongKind(message: string, namespace: string, proof: string): LedgerRefusal {
  return new LedgerRefusal('proof-kind', message, { namespace, proof })
}
