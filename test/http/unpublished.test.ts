import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { formatVerifierKey } from 'countersign/core'
import { addAccount, send, startRegistry, type TestRegistry } from '../support/registry.js'
import { policyOf, startFakeWitness, type FakeWitness } from '../support/witness.js'
import { testSigner } from '../support/tlog.js'

// The first start of a registry whose only witness is down: nothing is published, and nothing is broken.

let dir: string
let witness: FakeWitness
let at: TestRegistry
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-unpublished-'))
  witness = await startFakeWitness('w1', formatVerifierKey('any.example/log', 1, testSigner(3).publicKey))
  witness.isDown = true
  const witnessPolicyFile = join(dir, 'policy')
  await writeFile(witnessPolicyFile, policyOf([witness], 'quorum w1'))
  at = await startRegistry({ config: { witnessPolicyFile }, overrides: { publishWaitMs: 1 } })
})
afterAll(async () => {
  await at.close()
  await witness.close()
  await rm(dir, { recursive: true })
})

it('tells hosts to come again', async () => {
  for (const path of ['/v1/status', '/log/checkpoint', '/v1/root/1', '/v1/root/latest']) {
    const { status, body, headers } = await send(at.url, 'GET', path)
    expect([path, status, body.code, headers.get('retry-after')]).toEqual([path, 503, 'unavailable', '2'])
  }
  const { text } = await send(at.url, 'GET', '/log/checkpoint.committed')
  expect(text).toBe(at.registry.ledger.committed().note)
  expect((await send(at.url, 'GET', '/log/tile/0/000.p/1')).status).toBe(404)
})

it('answers what needs nothing published', async () => {
  expect((await send(at.url, 'GET', '/healthz')).status).toBe(200)
  expect((await send(at.url, 'GET', '/v1/servers')).body.servers).toEqual([])
  expect((await send(at.url, 'GET', '/v1/log/entries/0')).body).toEqual({ index: 0, published: false })
  expect((await addAccount(at, 'owner', ['publisher'])).client.account).toBe('owner')
})
