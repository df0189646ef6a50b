import { describe, expect, it } from 'vitest'
import { isLoopback, reachOf } from '../../src/net/address.js'

describe('reachOf', () => {
  it.each(['93.184.216.34', '1.1.1.1', '2606:4700:4700::1111', '::ffff:1.1.1.1', '64:ff9b::101:101'])(
    '%s is public',
    (address) => {
      expect(reachOf(address)).toBe('public')
    },
  )

  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    'fd00::1',
    'fd00:ec2::253',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '64:ff9b::a00:1',
  ])('%s is private', (address) => {
    expect(reachOf(address)).toBe('private')
  })

  it.each([
    ['the metadata service', '169.254.169.254'],
    ['the metadata service in IPv6', '::ffff:169.254.169.254'],
    ['the metadata service behind NAT64', '64:ff9b::a9fe:a9fe'],
    ['the metadata service in a private range', 'fd00:ec2::254'],
    ['the metadata service in another spelling', 'FD00:0EC2:0:0:0:0:0:0254'],
    ['the metadata service in a shared range', '100.100.100.200'],
    ['the metadata service in a public range', '168.63.129.16'],
    ['the metadata service in a public range, mapped', '::ffff:a83f:8110'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['loopback with a zone', '::1%lo'],
    ['unspecified', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['unspecified in IPv6', '::'],
    ['broadcast', '255.255.255.255'],
    ['multicast', '224.0.0.1'],
    ['multicast in IPv6', 'ff02::1'],
    ['reserved', '240.0.0.1'],
    ['benchmarking', '198.18.0.1'],
    ['documentation', '192.0.2.1'],
    ['documentation in IPv6', '2001:db8::1'],
    ['6to4 of loopback', '2002:7f00:1::'],
    ['teredo', '2001::1'],
    ['site-local', 'fec0::1'],
    ['NAT64 of somebody else', '64:ff9b:1::7f00:1'],
    ['outside of 2000::/3', '4000::1'],
    ['a name', 'localhost'],
    ['nothing', ''],
  ])('%s is never asked', (_, address) => {
    expect(reachOf(address)).toBe('never')
  })

  it('knows what stays on this machine', () => {
    expect(
      ['127.0.0.1', '::1', '::ffff:127.0.0.1', '10.0.0.1', '1.1.1.1', 'localhost'].map(isLoopback),
    ).toEqual([...[true, true, true, false, false, false]])
  })
})
