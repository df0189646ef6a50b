import { describe, expect, it } from 'vitest'
import {
  CountersignError,
  parseRevocations,
  readBundleSize,
  verifyBundle,
  verifyRevocations,
  verifyStatus,
  type BundleExpectations,
  type VerifiedManifest,
} from './support.js'
import { codeOf } from './support.js'
import {
  encodeBase64,
  formatTime,
  signEnvelope,
  formatManifest,
  formatEvent,
  signKeyAddEvent,
  envelopeDigest,
  eventPayload,
  publishLeaf,
  signDetached,
} from 'countersign/core'
import {
  manifestOf,
  openWorld,
  signerNamed,
  START,
  weather,
  type Published,
  type World,
} from '../support/world.js'

type Change = Parameters<World['bundleBytes']>[1]

/** Verifies a publication against the world as it is now. */
function verify(
  world: World,
  published: Published,
  change: Change = {},
  expect: Partial<BundleExpectations> = {},
): VerifiedManifest {
  const root = world.root
  const status = verifyStatus(world.statusBytes(), root)
  const revocations = verifyRevocations(world.revocationBytes(), status)
  const bytes = world.bundleBytes(published, change)
  const size = readBundleSize(bytes)
  const consistency = size < world.size ? world.consistency(size) : []
  return verifyBundle(
    bytes,
    { root, status, revocations, consistency },
    { now: world.clock * 1000, ...expect },
  )
}

function releasedWorld() {
  const world = openWorld()
  const acme = world.enrol('com.acme')
  const v1 = world.release(acme, weather())
  return { world, acme, v1 }
}

describe('an honest bundle', () => {
  it('verifies, and says what it proved', () => {
    const { world, v1, acme } = releasedWorld()
    world.tick(60)
    const verified = verify(world, v1, {}, { server: v1.server, version: v1.version })
    expect(verified.digest).toBe(v1.digest)
    expect(verified.kid).toBe(acme.sign.kid)
    expect([verified.publishIndex, verified.approveIndex]).toEqual([v1.index, v1.approveIndex])
    expect(verified.items.tool.size).toBe(5)
    expect(verified.independentWitnesses).toBe(0)
    expect(verified.soleDecider).toBe(false)
    expect(verified.steps.map((one) => one.step)).toEqual([1, 2, 3, 5, 6, 7])
    expect(verified.keyChain.keys.map((key) => key.role)).toEqual(['own', 'sign'])
  })

  it('cannot be made by anybody else', () => {
    const { world, v1 } = releasedWorld()
    const verified = verify(world, v1)
    const Maker = verified.constructor as new (token: symbol, facts: object) => unknown
    expect(() => new Maker(Symbol('proved by verifyBundle'), verified)).toThrow(TypeError)
    expect(Object.isFrozen(verified)).toBe(true)
  })

  it('verifies at a checkpoint of the same size as the status', () => {
    const { world, v1 } = releasedWorld()
    expect(verify(world, v1, { size: world.size }).digest).toBe(v1.digest)
  })

  it('counts independent witnesses and approvers', () => {
    const world = openWorld({ witnesses: 3, quorum: 2, approvers: 2, authorities: 2 })
    const v1 = world.release(world.enrol('com.acme'), weather())
    expect(verify(world, v1).independentWitnesses).toBe(3)
  })

  it('takes a key that an own key added later, and a second own key’s word', () => {
    const { world, acme } = releasedWorld()
    const [second, third] = [signerNamed('second own'), signerNamed('third sign')]
    world.addKey(acme, 'own', second)
    world.addKey(acme, 'sign', third, second)
    const v2 = world.approve(world.publish(acme, weather('2.0.0'), { by: third }))
    expect(verify(world, v2).kid).toBe(third.kid)
  })
})

describe('the registry and the server it is about', () => {
  it('another registry’s bundle, status and manifest are refused', () => {
    const { world, v1 } = releasedWorld()
    expect(codeOf(() => verify(world, v1, { registry: 'registry-other' }))).toBe('registry-mismatch')
    const other = openWorld({ name: 'other' })
    expect(codeOf(() => verifyStatus(other.statusBytes(), world.root))).toBe('registry-mismatch')
    expect(codeOf(() => verifyStatus(other.statusBytes({ registry: world.identity }), world.root))).toBe(
      'checkpoint-invalid',
    )
    const foreign = world.approve(
      world.publish(
        world.enrol('com.else'),
        { server: 'com.else/x', version: '1.0.0' },
        { registry: other.identity },
      ),
    )
    expect(codeOf(() => verify(world, foreign))).toBe('registry-mismatch')
  })

  it('another server or version than expected is refused', () => {
    const { world, v1 } = releasedWorld()
    expect(codeOf(() => verify(world, v1, {}, { server: 'com.acme/other' }))).toBe('namespace-mismatch')
    expect(codeOf(() => verify(world, v1, {}, { version: '1.0.1' }))).toBe('version-mismatch')
  })

  it('a namespace’s key does not speak for another namespace', () => {
    const { world, acme } = releasedWorld()
    const evil = world.publish(acme, { server: 'com.victim/mail', version: '1.0.0' })
    expect(codeOf(() => verify(world, world.approve(evil)))).toBe('namespace-mismatch')
  })
})

describe('signatures and keys', () => {
  it('an envelope by a key the log does not give is key-unknown', () => {
    const { world, acme } = releasedWorld()
    const stray = world.approve(world.publish(acme, weather('2.0.0'), { by: signerNamed('stray') }))
    expect(codeOf(() => verify(world, stray))).toBe('key-unknown')
  })

  it('an own key does not sign manifests, and a key does not count at its own index', () => {
    const { world, acme, v1 } = releasedWorld()
    const byOwn = world.approve(world.publish(acme, weather('2.0.0'), { by: acme.own }))
    expect(codeOf(() => verify(world, byOwn))).toBe('key-unknown')
    const late = signerNamed('late')
    const early = world.approve(world.publish(acme, weather('3.0.0'), { by: late }))
    world.addKey(acme, 'sign', late)
    const indexes = [...world.chainOf({ ...early, index: world.size }), early.index, early.approveIndex ?? 0]
    expect(codeOf(() => verify(world, early, { indexes, size: world.size }))).toBe('key-unknown')
    expect(verify(world, v1).version).toBe('1.0.0')
  })

  it('another envelope than the logged one is refused, whoever signed it', () => {
    const { world, acme, v1 } = releasedWorld()
    const other = manifestOf(weather('1.0.0', { title: 'Other' }), world.identity)
    const envelope = signEnvelope('countersign-manifest+json', formatManifest(other), acme.sign)
    expect(codeOf(() => verify(world, v1, { envelope }))).toBe('proof-invalid')
    const [head = '', body = ''] = v1.envelope.split('.')
    const broken = `${head}.${body}.${'A'.repeat(86)}`
    expect(codeOf(() => verify(world, v1, { envelope: broken }))).toBe('signature-invalid')
  })

  it('a revoked key: what it signed before its end stays, what came after does not', () => {
    const { world, acme, v1 } = releasedWorld()
    const v2 = world.release(acme, weather('2.0.0'))
    world.revokeKey(acme, acme.sign.kid, { invalidFrom: v2.index, by: acme.sign })
    expect(verify(world, v1).version).toBe('1.0.0')
    expect(codeOf(() => verify(world, v2))).toBe('key-revoked')
    const third = world.approve(world.publish(acme, weather('3.0.0')))
    expect(codeOf(() => verify(world, third))).toBe('key-revoked')
  })

  it('a key that a void own key endorsed is void with it', () => {
    const { world, acme } = releasedWorld()
    const added = signerNamed('added by thief')
    const index = world.addKey(acme, 'sign', added)
    const v2 = world.approve(world.publish(acme, weather('2.0.0'), { by: added }))
    expect(verify(world, v2).kid).toBe(added.kid)
    world.revokeKey(acme, acme.own.kid, { invalidFrom: index, by: acme.own })
    expect(codeOf(() => verify(world, v2))).toBe('key-revoked')
  })

  it('a key event the registry forged is refused', () => {
    const { world, acme } = releasedWorld()
    const thief = signerNamed('thief')
    world.addKey(acme, 'sign', thief, signerNamed('nobody'))
    const forged = world.approve(world.publish(acme, weather('2.0.0'), { by: thief }))
    expect(codeOf(() => verify(world, forged))).toBe('key-unknown')
    const again = openWorld()
    const own = again.enrol('com.acme')
    const event = signKeyAddEvent(
      { namespace: 'com.acme', role: 'sign', after: 1 },
      again.identity,
      thief,
      own.own,
    )
    again.append({ ...event, namespace: 'com.acme', role: 'own' })
    const second = again.approve(again.publish(own, weather('2.0.0')))
    expect(codeOf(() => verify(again, second))).toBe('signature-invalid')
  })

  it('a key nobody proved to possess is refused', () => {
    const { world, acme } = releasedWorld()
    const [added, another] = [signerNamed('added'), signerNamed('another')]
    const about = { namespace: 'com.acme', role: 'sign' as const, after: world.latestAbout('com.acme') }
    const honest = signKeyAddEvent(about, world.identity, added, acme.own)
    const pop = signDetached('countersign-key-event+json', eventPayload(honest, world.identity), another)
    world.append({ ...honest, pop })
    const v2 = world.approve(world.publish(acme, weather('2.0.0'), { by: added }))
    expect(codeOf(() => verify(world, v2))).toBe('signature-invalid')
  })

  it('a root with authorities asks for their word on a namespace', () => {
    const world = openWorld({ authorities: 2 })
    const lax = openWorld()
    lax.enrol('com.other')
    const enrolled = lax.leaf(2)
    world.append(enrolled)
    const acme = world.enrol('com.acme')
    expect(verify(world, world.release(acme, weather())).server).toBe('com.acme/weather')
    const published = { ...world.publish(acme, weather('2.0.0')), namespace: 'com.other' }
    expect(codeOf(() => verify(world, world.approve(published)))).toBe('signature-invalid')
  })
})

describe('what the log proves', () => {
  it('no approval is pending; no publication or a stranger’s event is no proof', () => {
    const { world, acme, v1 } = releasedWorld()
    const waiting = world.publish(acme, weather('2.0.0'))
    const chain = world.chainOf(waiting)
    expect(codeOf(() => verify(world, waiting, { indexes: [...chain, waiting.index] }))).toBe('pending')
    const approve = v1.approveIndex ?? 0
    expect(codeOf(() => verify(world, v1, { indexes: [...chain, approve] }))).toBe('proof-invalid')
    expect(codeOf(() => verify(world, v1, { indexes: [...chain, v1.index, v1.index + 1, approve] }))).toBe(
      'proof-invalid',
    )
    expect(codeOf(() => verify(world, v1, { indexes: [...chain.slice(1), v1.index, approve] }))).toBe(
      'proof-invalid',
    )
  })

  it('the approval must be of this very manifest, and after its publication', () => {
    const { world, acme, v1 } = releasedWorld()
    const v2 = world.publish(acme, weather('2.0.0'))
    const mixed = [...world.chainOf(v2), v2.index, v1.approveIndex ?? 0]
    expect(codeOf(() => verify(world, v2, { indexes: mixed, size: world.size }))).toBe('proof-invalid')
    const early = world.approve({ ...v2 }, { after: v2.index - 1 })
    expect(codeOf(() => verify(world, early))).toBe('proof-invalid')
    expect(verify(world, world.approve({ ...v2 })).version).toBe('2.0.0')
  })

  it('the logged publication is the rebuilt one, byte for byte', () => {
    const { world, acme } = releasedWorld()
    const v2 = world.publish(acme, weather('2.0.0'))
    const honest = { ...world.approve({ ...v2 }) }
    expect(verify(world, honest).version).toBe('2.0.0')
    for (const change of [{ envelope: v2.digest }, { role: 'voucher' as const }, { kid: acme.own.kid }]) {
      const { server, version, digest, kid } = v2
      const logged = {
        server,
        version,
        role: 'publisher' as const,
        kid,
        manifest: digest,
        envelope: envelopeDigest(v2.envelope),
      }
      const index = world.append(publishLeaf({ ...logged, ...change }))
      const other = world.approve({ ...v2, index })
      expect(codeOf(() => verify(world, other))).toBe('proof-invalid')
    }
  })

  it('an approval that names another digest approves nothing', () => {
    const { world, acme, v1 } = releasedWorld()
    const v2 = world.publish(acme, weather('2.0.0'))
    const other = world.approve({ ...v2 }, { manifest: v1.digest })
    expect(codeOf(() => verify(world, other))).toBe('proof-invalid')
  })

  it('a root with approvers asks for all of their signatures, and nothing approves by itself', () => {
    const world = openWorld({ approvers: 2 })
    const acme = world.enrol('com.acme')
    const draft = world.publish(acme, weather())
    const [first, second] = world.keys.approvers
    if (first === undefined || second === undefined) throw new Error('two approvers')
    expect(codeOf(() => verify(world, world.approve({ ...draft }, {}, [first])))).toBe('signature-invalid')
    expect(codeOf(() => verify(world, world.approve({ ...draft }, {}, [first, first])))).toBe(
      'signature-invalid',
    )
    expect(codeOf(() => verify(world, world.approve({ ...draft }, {}, [])))).toBe('signature-invalid')
    expect(codeOf(() => verify(world, world.approve({ ...draft }, { auto: 'rule-1' })))).toBe(
      'signature-invalid',
    )
    expect(verify(world, world.approve({ ...draft }, {}, [second, first])).version).toBe('1.0.0')
  })

  it('a bundle of another history, or newer than the status, is refused', () => {
    const { world, acme } = releasedWorld()
    const fork = world.fork()
    const forked = fork.release(acme, weather('2.0.0'))
    world.release(acme, weather('3.0.0'))
    world.tick(1)
    const status = verifyStatus(world.statusBytes(), world.root)
    const revocations = verifyRevocations(world.revocationBytes(), status)
    const context = { root: world.root, status, revocations }
    const expected = { now: world.clock * 1000 }
    const bytes = fork.bundleBytes(forked)
    const consistency = world.consistency(readBundleSize(bytes))
    // The log signed it: an own past beside the status's.
    expect(codeOf(() => verifyBundle(bytes, { ...context, consistency }, expected))).toBe('equivocation')
    const nonsense = consistency.map((hash) => hash.map((byte) => byte ^ 1))
    expect(codeOf(() => verifyBundle(bytes, { ...context, consistency: nonsense }, expected))).toBe(
      'proof-invalid',
    )
    fork.tick(1)
    const sameSize = fork.bundleBytes(forked, { size: world.size })
    expect(codeOf(() => verifyBundle(sameSize, context, expected))).toBe('equivocation')
    fork.tick(1)
    expect(codeOf(() => verifyBundle(fork.bundleBytes(forked, { size: fork.size }), context, expected))).toBe(
      'checkpoint-invalid',
    )
  })
})

describe('what was taken back', () => {
  it('a revoked manifest and server are revoked; a revoked tool is only noted', () => {
    const { world, acme, v1 } = releasedWorld()
    const before = verify(world, v1)
    const digest = before.items.tool.get('alerts')?.forms[0]?.digest ?? v1.digest
    world.revoke({ kind: 'tool', digest })
    expect([...verify(world, v1).revokedTools]).toEqual([digest])
    world.revoke({ kind: 'manifest', digest: v1.digest })
    expect(codeOf(() => verify(world, v1))).toBe('revoked')
    const v2 = world.release(acme, weather('2.0.0'))
    expect(verify(world, v2).version).toBe('2.0.0')
    world.revoke({ kind: 'server', name: v2.server })
    expect(codeOf(() => verify(world, v2))).toBe('revoked')
  })

  it('a tombstone counts although the newest list is without it', () => {
    const { world, v1 } = releasedWorld()
    const line = { kind: 'manifest', digest: v1.digest } as const
    world.revoke(line)
    const seen = verifyStatus(world.statusBytes(), world.root)
    const tombstones = verifyRevocations(world.revocationBytes(), seen)
    world.lift(line)
    const status = verifyStatus(world.statusBytes(), world.root)
    const revocations = verifyRevocations(world.revocationBytes(), status)
    const bytes = world.bundleBytes(v1)
    const context = {
      root: world.root,
      status,
      revocations,
      consistency: world.consistency(readBundleSize(bytes)),
    }
    const expected = { now: world.clock * 1000 }
    expect(verifyBundle(bytes, context, expected).version).toBe('1.0.0')
    expect(codeOf(() => verifyBundle(bytes, { ...context, tombstones }, expected))).toBe('revoked')
  })

  it('another revocation list than the snapshot’s is refused', () => {
    const { world, v1 } = releasedWorld()
    const empty = world.revocationBytes()
    world.revoke({ kind: 'manifest', digest: v1.digest })
    const status = verifyStatus(world.statusBytes(), world.root)
    expect(codeOf(() => verifyRevocations(empty, status))).toBe('proof-invalid')
    const old = parseRevocations(empty, { root: new Uint8Array(verifyStatusOfEmpty()), count: 0 })
    const bytes = world.bundleBytes(v1)
    const context = {
      root: world.root,
      status,
      revocations: old,
      consistency: world.consistency(readBundleSize(bytes)),
    }
    expect(codeOf(() => verifyBundle(bytes, context, { now: 0 }))).toBe('proof-invalid')
  })

  it('expires at the second it says', () => {
    const world = openWorld()
    const at = START + 1000
    const v1 = world.release(world.enrol('com.acme'), weather('1.0.0', { expires: formatTime(at) }))
    expect(verify(world, v1, {}, { now: at * 1000 - 1 }).version).toBe('1.0.0')
    expect(codeOf(() => verify(world, v1, {}, { now: at * 1000 }))).toBe('expired')
  })
})

describe('the status', () => {
  it('holds, with the time of the quorum', () => {
    const world = openWorld({ witnesses: 3, quorum: 2 })
    const status = verifyStatus(world.statusBytes(), world.root)
    expect(status.attestedAt).toBe(START)
    expect(status.snapshotIndex).toBe(world.size - 1)
    expect(status.independentWitnesses).toBe(3)
    expect(status.isProved()).toBe(true)
  })

  it('without the timestamper or with too few witnesses there is no quorum', () => {
    const world = openWorld({ witnesses: 2 })
    const of = (cosigners: readonly ('timestamper' | number)[]) =>
      codeOf(() =>
        verifyStatus(world.statusBytes({ note: world.note(world.size, { cosigners }) }), world.root),
      )
    expect(of([0, 1])).toBe('quorum-not-met')
    expect(of(['timestamper', 0])).toBe('quorum-not-met')
    expect(of(['timestamper', 0, 1])).toBeUndefined()
  })

  it('a checkpoint of another origin, or by another key, is invalid', () => {
    const world = openWorld()
    const note = world.note(world.size, { origin: 'elsewhere/log' })
    expect(codeOf(() => verifyStatus(world.statusBytes({ note }), world.root))).toBe('checkpoint-invalid')
  })

  it('an older snapshot under the newest checkpoint is a rollback; a forged one no proof', () => {
    const { world, v1 } = releasedWorld()
    const size = world.size
    world.revoke({ kind: 'manifest', digest: v1.digest })
    expect(codeOf(() => verifyStatus(world.statusBytes({ snapshotOf: size }), world.root))).toBe('rollback')
    const honest = JSON.parse(world.leaf(world.size - 1)) as { asOf: number }
    const forged = formatEvent({
      v: 1,
      t: 'snapshot',
      asOf: honest.asOf,
      count: 0,
      rootVersion: 1,
      revocations: encodeBase64(new Uint8Array(verifyStatusOfEmpty())),
    })
    expect(codeOf(() => verifyStatus(world.statusBytes({ event: forged }), world.root))).toBe('proof-invalid')
  })

  it('a snapshot that knows a newer root makes ours outdated', () => {
    const world = openWorld()
    world.signRoot(2)
    world.announceRoot(2)
    expect(codeOf(() => verifyStatus(world.statusBytes(), world.root))).toBe('root-outdated')
  })

  it('what is no status at all is an invalid checkpoint, with the format error as cause', () => {
    const world = openWorld()
    try {
      verifyStatus(new TextEncoder().encode('{}'), world.root)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(CountersignError)
      const { code, detail, cause } = error as CountersignError
      expect([code, detail['step'], detail['format']]).toEqual(['checkpoint-invalid', 2, 'status-malformed'])
      expect((cause as CountersignError).code).toBe('status-malformed')
    }
  })
})

/** The root of the empty list, as every snapshot without revocations carries it. */
function verifyStatusOfEmpty(): Uint8Array {
  const status = verifyStatus(openWorld().statusBytes(), openWorld().root)
  return Uint8Array.from(atob(status.snapshot.revocations), (c) => c.charCodeAt(0))
}
