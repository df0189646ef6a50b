import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  encodeKeyX,
  parseBundle,
  signKeyAddEvent,
  signKeyRevokeEvent,
  utf8Bytes,
  type Signer,
} from 'countersign/core'
import { MAX_CHAIN, MAX_KEYS } from '../../src/publishers/key-rules.js'
import { openHost } from '../../client/src/host.js'
import { memoryInProcess } from '../../client/src/memory.js'
import type { KeyRow } from '../../src/storage/store.js'
import {
  addKey,
  addPublisher,
  approveManifest,
  newKey,
  publishManifest,
  sampleManifest,
  startRegistry,
  submitKeyEvent,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'

let at: TestRegistry
let owner: Publisher
beforeAll(async () => {
  at = await startRegistry()
})
afterAll(() => at.close())
let serial = 0
beforeEach(async () => {
  owner = await addPublisher(at, `com.many${++serial}`)
})

/** Own keys, each endorsed by the one before it. */
async function rotate(times: number): Promise<Signer> {
  let key = owner.key
  for (let i = 0; i < times; i++) {
    const next = newKey()
    await addKey(at, { ...owner, key }, next, 'own')
    key = next
  }
  return key
}

/** Rows as so many events would have left them; they count from 1 on. */
async function putRows(rows: readonly Pick<KeyRow, 'kid' | 'x' | 'endorser'>[]): Promise<void> {
  await at.registry.store.commitBatch(async (tx) => {
    for (const [i, row] of rows.entries()) {
      await tx.putKey({ ...row, namespace: owner.namespace, role: 'own', added: 1 + i })
    }
  })
}

async function adding(role: 'own' | 'sign', by: Signer): Promise<unknown> {
  const after = await at.registry.store.latestAbout(`namespace:${owner.namespace}`)
  const about = { namespace: owner.namespace, role, after: after ?? 0 }
  const { status, body } = await submitKeyEvent(
    owner.caller,
    signKeyAddEvent(about, at.identity, newKey(), by),
  )
  return status === 201 ? status : [status, body.code]
}

describe('a long chain of keys', () => {
  it('is in a bundle that a host verifies', async () => {
    const last = await rotate(64)
    const sign = newKey()
    await addKey(at, { ...owner, key: last }, sign, 'sign')
    const server = `${owner.namespace}/one`
    const manifest = sampleManifest(at.identity, { server })
    const { manifest: digest } = await publishManifest({ ...owner, key: sign }, manifest)
    await approveManifest(at.admin, digest)
    const { text } = await at.admin.get(`/v1/bundles/${digest}`)
    expect(parseBundle(utf8Bytes(text)).events).toHaveLength(1 + 64 + 1 + 2)
    const rootNote = at.registry.ledger.rootNote(1) ?? ''
    const trust = { identity: at.identity, rootNote, fingerprint: at.fingerprint }
    const host = await openHost({ registry: at.url, trust, memory: memoryInProcess() })
    await expect(host.verify(server, manifest.version)).resolves.toMatchObject({})
    await host.close()
  })

  it('ends where no bundle would hold it; a key nearer to the first one endorses all the same', async () => {
    const chain = Array.from({ length: MAX_CHAIN - 1 }, () => newKey())
    const endorser = (i: number): string => (chain[i - 1] ?? owner.key).kid
    await putRows(
      chain.map(({ kid, publicKey }, i) => ({ kid, x: encodeKeyX(publicKey), endorser: endorser(i) })),
    )
    expect(await adding('sign', chain.at(-1)!)).toEqual([422, 'out-of-range'])
    expect(await adding('sign', chain.at(-2)!)).toBe(201)
    expect(await adding('own', owner.key)).toBe(201)
  })
})

describe('many keys', () => {
  it('end somewhere, and all of them end together', async () => {
    const { kid } = owner.key
    const have = (await at.registry.store.readKeys(owner.namespace)).length
    const name = (i: number): string => String(i).padStart(43, 'k')
    const rows = Array.from({ length: MAX_KEYS - have - 1 }, (_, i) => ({ kid: name(i), x: name(i) }))
    await putRows(rows.map((row) => ({ ...row, endorser: kid })))
    expect(await adding('sign', owner.key)).toBe(201)
    expect(await adding('sign', owner.key)).toEqual([422, 'out-of-range'])
    const after = (await at.registry.store.latestAbout(`namespace:${owner.namespace}`)) ?? 0
    const end = { namespace: owner.namespace, kid, reason: 'compromise', after, invalidFrom: 0 } as const
    const { status } = await submitKeyEvent(owner.caller, signKeyRevokeEvent(end, at.identity, owner.key))
    expect(status).toBe(201)
    const keys = await at.registry.store.readKeys(owner.namespace)
    expect(keys.filter(({ revoked }) => revoked === undefined)).toEqual([])
  })
})
