import ipaddr from 'ipaddr.js'

/**
 * Where a connection to an address would end: `public` anywhere on the internet, `private` in networks that only an
 * admin may point into, `never` where nothing that is asked for lives (link-local and with it the metadata services of
 * clouds, multicast, reserved and transitional ranges), and for everything that is no address.
 */
export type Reach = 'public' | 'private' | 'never'

const NAT64 = ipaddr.parseCIDR('64:ff9b::/96')
/** All that was ever given out for global unicast; the rest of IPv6 is reserved. */
const GLOBAL = ipaddr.parseCIDR('2000::/3')
/** Services of clouds that tell whoever asks from inside its secrets, where they are not link-local. */
const METADATA = new Set(
  ['168.63.129.16', '100.100.100.200', 'fd00:ec2::254', 'fd20:ce::254'].map((text) =>
    ipaddr.parse(text).toNormalizedString(),
  ),
)
const PRIVATE: readonly string[] = ['private', 'loopback', 'uniqueLocal', 'carrierGradeNat']

export function reachOf(text: string): Reach {
  // A zone picks an interface of this machine; nobody outside names one.
  if (text.includes('%') || !ipaddr.isValid(text)) return 'never'
  const address = unwrap(ipaddr.parse(text))
  if (METADATA.has(address.toNormalizedString())) return 'never'
  const range = address.range()
  if (PRIVATE.includes(range)) return 'private'
  if (range !== 'unicast') return 'never'
  return address.kind() === 'ipv4' || address.match(GLOBAL) ? 'public' : 'never'
}

/** What is behind an IPv6 address that only carries an IPv4 one: a translator would connect to that. */
function unwrap(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (!(address instanceof ipaddr.IPv6)) return address
  if (address.isIPv4MappedAddress()) return address.toIPv4Address()
  if (address.match(NAT64)) return new ipaddr.IPv4(address.toByteArray().slice(12))
  return address
}

/** Whether a connection to the address stays on this machine. */
export function isLoopback(text: string): boolean {
  return ipaddr.isValid(text) && unwrap(ipaddr.parse(text)).range() === 'loopback'
}
