import { describe, expect, it } from 'vitest'
import { openTrust, pinTrust, walkRoot } from 'countersign'
import { parseTrustRoot } from 'countersign/core'
import { openWorld, signerNamed } from '../support/world.js'
import { codeOf, codeOfAsync } from './support.js'

describe('openTrust', () => {
  it('opens what was pinned, and nothing else', () => {
    const world = openWorld()
    expect(openTrust(world.trust).identity).toBe(world.identity)
    expect(codeOf(() => openTrust({ ...world.trust, identity: 'registry-other' }))).toBe('registry-mismatch')
    expect(codeOf(() => openTrust({ ...world.trust, fingerprint: `sha256:${'0'.repeat(64)}` }))).toBe(
      'registry-mismatch',
    )
    const forged = world.fork().signRoot(1, {}, [signerNamed('thief')])
    expect(codeOf(() => openTrust({ ...world.trust, rootNote: forged }))).toBe('root-outdated')
    expect(codeOf(() => openTrust({ ...world.trust, rootNote: 'nonsense' }))).toBe('root-outdated')
  })
})

describe('walking the root', () => {
  it('goes to the newest version, each signed by the one before', async () => {
    const world = openWorld()
    for (const version of [2, 3, 4]) world.signRoot(version)
    expect((await walkRoot(world.api(), world.root)).version).toBe(4)
    expect((await pinTrust(world.api())).root.version).toBe(4)
    expect((await pinTrust(world.api(), { fingerprint: world.fingerprint })).fingerprint).toBe(
      world.fingerprint,
    )
  })

  it('stops at a version that does not verify, is another one, or never ends', async () => {
    const world = openWorld()
    world.signRoot(2, {}, [signerNamed('thief')])
    expect(await codeOfAsync(() => walkRoot(world.api(), world.root))).toBe('root-outdated')
    const third = world.fork().signRoot(3)
    expect(await codeOfAsync(() => walkRoot({ fetchRoot: async () => third }, world.root))).toBe(
      'root-outdated',
    )
    const endless = openWorld({ name: 'endless' })
    for (let version = 2; version <= 258; version++) endless.signRoot(version)
    expect(await codeOfAsync(() => walkRoot(endless.api(), endless.root))).toBe('root-outdated')
  })

  it('another registry’s fingerprint is refused, and a registry without a root', async () => {
    const [world, other] = [openWorld(), openWorld({ name: 'other' })]
    const pin = () => pinTrust(other.api(), { fingerprint: world.fingerprint })
    expect(await codeOfAsync(pin)).toBe('registry-mismatch')
    expect(await codeOfAsync(() => pinTrust({ fetchRoot: async () => undefined }))).toBe('registry-error')
    const second = world.fork().signRoot(2)
    expect(parseTrustRoot(second).version).toBe(2)
    expect(await codeOfAsync(() => pinTrust({ fetchRoot: async () => second }))).toBe('registry-error')
  })
})
