import { expect, it } from 'vitest'
import { addressKey, callerKey } from '../../src/http/limits.js'

it.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:db8::1:2:3:4:5', '2001:db8:0:1::/64'],
  ['2001:db8::', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
  ['192.0.2.7:50123', '192.0.2.7'],
  ['[2001:db8:1:2::9]:50123', '2001:db8:1:2::/64'],
  ['[2001:db8:1:2::9]', '2001:db8:1:2::/64'],
  ['192.0.2.7:50123:1', 'unknown'],
  ['999.0.2.7', 'unknown'],
  ['a stranger', 'unknown'],
  [undefined, 'unknown'],
])('%s is counted as %s: who has one IPv6 address has 2^64 of them', (ip, key) => {
  expect(addressKey(ip)).toBe(key)
})

it('an account that is called like an address is not counted as one', () => {
  expect(callerKey('192.0.2.7', '198.51.100.1')).not.toBe(callerKey(undefined, '192.0.2.7'))
  expect(callerKey(undefined, '192.0.2.7')).toBe(callerKey(undefined, '::ffff:192.0.2.7'))
})
