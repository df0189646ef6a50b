import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  openNote,
  openTrustRoot,
  parseEvent,
  parseStatus,
  parseVerifierKey,
  keyThumbprint,
  verifyEnvelope,
  verifyNamespaceProof,
  type NamespaceClaim,
} from 'countersign/core'
import { leafHash, parseCheckpointBody, utf8Bytes, verifyInclusion, decodeBase64url } from 'countersign/core'
import { describe, expect, it } from 'vitest'
import { namesAccount, namesKey } from '../../src/publishers/proofs/records.js'
import { examples } from '../support/examples.js'

const specification = fileURLToPath(new URL('../../client/PROTOCOL.md', import.meta.url))
const folder = fileURLToPath(new URL('../vectors/', import.meta.url))
const made = examples()
const FENCE = /```(?:json|text) vector=([a-z]+)\n([\s\S]*?)```/g

// `UPDATE_VECTORS=1 npx vitest run test/core/protocol.test.ts` writes what a deliberate change of a format changes.
if (process.env['UPDATE_VECTORS'] === '1') {
  mkdirSync(folder, { recursive: true })
  for (const [name, { vector }] of Object.entries(made)) {
    writeFileSync(`${folder}${name}.json`, `${JSON.stringify(vector, null, 2)}\n`)
  }
  const text = readFileSync(specification, 'utf8')
  writeFileSync(
    specification,
    text.replace(FENCE, (fence: string, name: string) => {
      const info = fence.slice(3, fence.indexOf('\n'))
      return `\`\`\`${info}\n${made[name]?.block ?? ''}\n\`\`\``
    }),
  )
}

describe('PROTOCOL.md', () => {
  const printed = new Map([...readFileSync(specification, 'utf8').matchAll(FENCE)].map((m) => [m[1], m[2]]))

  it.each(Object.entries(made))('prints %s as the code makes it', (name, { block, vector }) => {
    expect(printed.get(name)).toBe(`${block}\n`)
    expect(JSON.parse(readFileSync(`${folder}${name}.json`, 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(vector)),
    )
  })

  it('prints no other example', () => {
    expect([...printed.keys()].sort()).toEqual(Object.keys(made).sort())
  })
})

describe('the vectors verify, read from their files alone', () => {
  const read = (name: string) =>
    JSON.parse(readFileSync(`${folder}${name}.json`, 'utf8')) as Record<string, string>

  it('envelope', () => {
    const header = read('header')
    const { jws = '', payload } = read('envelope')
    const key = decodeBase64url(header['x'] ?? '')
    expect(new TextDecoder().decode(verifyEnvelope(jws, 'countersign-manifest+json', key))).toBe(payload)
  })

  it('proof', () => {
    const { x = '', payload = '', signature = '', ...rest } = read('proof')
    verifyNamespaceProof(JSON.parse(payload) as NamespaceClaim, signature, decodeBase64url(x))
    // The answer is worth nothing for anything else.
    const elsewhere = { ...(JSON.parse(payload) as NamespaceClaim), audience: 'registry-other' }
    expect(() => verifyNamespaceProof(elsewhere, signature, decodeBase64url(x))).toThrow()
    const wanted = { registry: read('identity')['identity'] ?? '', account: 'acct-1' }
    const kids = [keyThumbprint(decodeBase64url(x))]
    const records = rest['records'] as unknown as string[]
    expect(namesKey(records.slice(0, 1), { ...wanted, kids })).toBe(true)
    expect(namesAccount(records.slice(1), { ...wanted, kids })).toBe(true)
  })

  it('root, checkpoint and status', () => {
    const root = openTrustRoot(read('root')['note'] ?? '')
    const { log = '', timestamper = '', note = '' } = read('checkpoint')
    const opened = openNote(note, [parseVerifierKey(log), parseVerifierKey(timestamper)])
    expect(opened.verified).toHaveLength(2)
    const checkpoint = parseCheckpointBody(opened.text)
    const status = parseStatus(utf8Bytes(read('status')['status'] ?? ''))
    const leaf = leafHash(utf8Bytes(status.snapshot.event))
    verifyInclusion(checkpoint.size - 1, checkpoint.size, leaf, [...status.snapshot.proof], checkpoint.root)
    expect(parseEvent(status.snapshot.event)).toMatchObject({
      t: 'snapshot',
      asOf: checkpoint.size - 1,
      rootVersion: root.version,
    })
  })
})
