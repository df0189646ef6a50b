import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  digestOf,
  encodeKeyX,
  envelopeDigest,
  leafHash,
  manifestDigest,
  openCheckpoint,
  parseBundle,
  parseEvent,
  randomBytes,
  signEnvelope,
  signerFromSeed,
  signKeyAddEvent,
  signNamespaceEvent,
  utf8Bytes,
  verifyInclusion,
  type Digest,
  type LogEvent,
  type Signer,
} from 'countersign/core'
import type { BatchTx, ManifestRow } from '../../src/storage/store.js'
import { plainCandidate, startLedger, type LedgerFixture } from '../support/ledger.js'

const namespace = 'com.example'
let fixture: LedgerFixture
beforeEach(async () => {
  fixture = await startLedger()
})
afterEach(() => fixture.remove())

async function logEvent(
  event: LogEvent,
  apply: (tx: BatchTx, index: number) => Promise<void>,
): Promise<number> {
  const { index } = await fixture.ledger.submit({
    authorise: async () => undefined,
    event: () => event,
    apply,
  })
  return index
}

async function claim(own: Signer): Promise<number> {
  const event = signNamespaceEvent(
    { namespace, proof: 'admin', account: 'holder' },
    fixture.keys.identity,
    own,
  )
  const x = encodeKeyX(own.publicKey)
  return logEvent(event, async (tx, index) => {
    await tx.putNamespace({ namespace, account: 'holder', proof: 'admin', index })
    await tx.putKey({ namespace, kid: own.kid, x, role: 'own', added: index })
  })
}

async function addKey(key: Signer, role: 'own' | 'sign', by: Signer, after: number): Promise<number> {
  const event = signKeyAddEvent({ namespace, role, after }, fixture.keys.identity, key, by)
  const x = encodeKeyX(key.publicKey)
  return logEvent(event, (tx, index) => tx.putKey({ namespace, kid: key.kid, x, role, added: index }))
}

async function publish(key: Signer, version = '1.0.0'): Promise<ManifestRow> {
  const payload = utf8Bytes(`{"version":"${version}"}`)
  const envelope = signEnvelope('countersign-manifest+json', payload, key)
  const names = { server: 'com.example/weather', version, role: 'publisher', kid: key.kid } as const
  const digests = { manifest: manifestDigest(payload), envelope: envelopeDigest(envelope) }
  await logEvent({ v: 1, t: 'publish', ...names, ...digests }, (tx, publishIndex) =>
    tx.putManifest({
      ...{ ...names, namespace, folded: names.server, account: 'holder', status: 'pending', publishIndex },
      ...{ manifest: digests.manifest, envelopeDigest: digests.envelope, envelope },
      ...{ findings: '[]', submittedAt: 0, toolDigests: [], lookups: [] },
    }),
  )
  return (await fixture.store.readManifest(digests.manifest))!
}

async function approve(row: ManifestRow): Promise<ManifestRow> {
  const { server, version, manifest, publishIndex } = row
  const policy = digestOf(utf8Bytes('policy'))
  const decision = { policy, deciders: ['rival'], after: publishIndex }
  await logEvent({ v: 1, t: 'approve', server, version, manifest, ...decision }, (tx, approveIndex) =>
    tx.updateManifest(manifest, { status: 'approved', approveIndex }),
  )
  return (await fixture.store.readManifest(manifest))!
}

const signer = (): Signer => signerFromSeed(randomBytes(32))

/** Parses a bundle, proves each of its leaves at its own checkpoint, and says what they are. */
function provenEvents(bytes: Uint8Array): { index: number; event: LogEvent }[] {
  const bundle = parseBundle(bytes)
  expect(bundle.registry).toBe(fixture.keys.identity)
  const log = { origin: fixture.keys.origin, key: fixture.keys.log.key }
  const { checkpoint, cosignatures } = openCheckpoint(bundle.checkpoint, log, [fixture.keys.timestamper.key])
  expect(cosignatures).toHaveLength(1)
  return bundle.events.map(({ index, event, proof }) => {
    verifyInclusion(index, checkpoint.size, leafHash(utf8Bytes(event)), [...proof], checkpoint.root)
    return { index, event: parseEvent(event) }
  })
}

describe('a bundle', () => {
  it('holds the shortest chain: one key that owns and signs', async () => {
    const own = signer()
    const enrolled = await claim(own)
    await addKey(own, 'sign', own, enrolled)
    const row = await approve(await publish(own))
    const events = provenEvents(await fixture.ledger.bundleFor(row))
    expect(events.map(({ event }) => event.t)).toEqual(['namespace', 'key.add', 'publish', 'approve'])
    expect(events.at(-1)?.index).toBe(row.approveIndex)
    expect(parseBundle(await fixture.ledger.bundleFor(row)).envelope).toBe(row.envelope)
  })

  it('holds every key that endorsed the signing key, and no other', async () => {
    const [first, second, third, signing, stranger] = [signer(), signer(), signer(), signer(), signer()]
    const a = await claim(first)
    const b = await addKey(second, 'own', first, a)
    const x = await addKey(stranger, 'own', first, b)
    // A key that also signs endorses with its role as an own key alone.
    const s = await addKey(second, 'sign', first, x)
    const c = await addKey(third, 'own', second, s)
    const y = await addKey(stranger, 'sign', stranger, c)
    const d = await addKey(signing, 'sign', third, y)
    const row = await approve(await publish(signing))
    const events = provenEvents(await fixture.ledger.bundleFor(row))
    expect(events.map(({ index }) => index)).toEqual([a, b, c, d, row.publishIndex, row.approveIndex])
  })

  it('is made once and stays the same bytes, also over a restart', async () => {
    const own = signer()
    await addKey(own, 'sign', own, await claim(own))
    const row = await approve(await publish(own))
    const [one, two] = await Promise.all([fixture.ledger.bundleFor(row), fixture.ledger.bundleFor(row)])
    expect(two).toEqual(one)
    await Promise.all([1, 2, 3].map((n) => fixture.ledger.submit(plainCandidate(n))))
    expect(await fixture.ledger.bundleFor(row)).toEqual(one)
    await fixture.stop()
    fixture = await startLedger(fixture.folder)
    expect(await fixture.ledger.bundleFor(row)).toEqual(one)
  })

  it('is not made for what is not approved', async () => {
    const own = signer()
    await addKey(own, 'sign', own, await claim(own))
    const row = await publish(own)
    await expect(fixture.ledger.bundleFor(row)).rejects.toMatchObject({ code: 'manifest-status' })
    expect(await fixture.store.readBundle(row.manifest)).toBeUndefined()
  })
})

describe('what was reinstated', () => {
  const server = 'com.example/weather'
  const decide = (
    t: 'revoke' | 'reinstate' | 'deprecate',
    target: { target: 'manifest' | 'tool'; digest: Digest } | { target: 'server'; name: string },
    after?: number,
  ): Promise<number> => {
    const given = {
      reason: `a test ${Math.random()}`,
      deciders: ['rival'],
      ...(after !== undefined && { after }),
    }
    return logEvent({ v: 1, t, ...target, ...given }, () => Promise.resolve())
  }
  const approved = async (tool?: Digest): Promise<ManifestRow> => {
    const own = signer()
    await addKey(own, 'sign', own, await claim(own))
    const row = await approve(await publish(own))
    const toolDigests = tool === undefined ? [] : [{ name: 'tool', digest: tool }]
    return { ...row, toolDigests }
  }
  const eventsOf = async (row: ManifestRow): Promise<string[]> =>
    provenEvents(await fixture.ledger.bundleFor(row)).map(({ event }) => event.t)
  const BARE = ['namespace', 'key.add', 'publish', 'approve']

  it('is proved after the approval, also when the bundle was made before', async () => {
    const row = await approved()
    expect(await eventsOf(row)).toEqual(BARE)
    const target = { target: 'manifest', digest: row.manifest } as const
    const revoked = await decide('revoke', target, row.approveIndex)
    expect(await eventsOf(row)).toEqual(BARE)
    const back = await decide('reinstate', target, revoked)
    expect(await eventsOf(row)).toEqual([...BARE, 'reinstate'])
    // Whatever else was decided since, and however often.
    const noted = await decide('deprecate', target, back)
    expect(await eventsOf(row)).toEqual([...BARE, 'reinstate'])
    const again = await decide('revoke', target, noted)
    expect(await eventsOf(row)).toEqual(BARE)
    await decide('reinstate', target, again)
    expect(await eventsOf(row)).toEqual([...BARE, 'reinstate'])
  })

  it('may be the server or a tool, each with the latest alone', async () => {
    const tool = digestOf(utf8Bytes('tool'))
    const row = await approved(tool)
    const named = { target: 'server', name: server } as const
    const first = await decide('revoke', named)
    const second = await decide('reinstate', named, first)
    const third = await decide('revoke', { target: 'tool', digest: tool })
    expect(await eventsOf(row)).toEqual([...BARE, 'reinstate'])
    await decide('reinstate', { target: 'tool', digest: tool }, third)
    await decide('reinstate', named, await decide('revoke', named, second))
    const events = provenEvents(await fixture.ledger.bundleFor(row))
    expect(events.map(({ event }) => event.t)).toEqual([...BARE, 'reinstate', 'reinstate'])
    expect(events.map(({ index }) => index)).toEqual(
      events.map(({ index }) => index).toSorted((a, b) => a - b),
    )
  })

  it('is nothing that happened before the approval, or to something else', async () => {
    const named = { target: 'server', name: server } as const
    await decide('reinstate', named, await decide('revoke', named))
    const row = await approved()
    const other = { target: 'manifest', digest: digestOf(utf8Bytes('other')) } as const
    await decide('reinstate', other, await decide('revoke', other))
    expect(await eventsOf(row)).toEqual(BARE)
  })
})
