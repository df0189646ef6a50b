import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatVerifierKey, signerFromSeed } from 'countersign/core'
import { readRootPeople } from '../../src/registry/root-people.js'
import { openPlace } from './support.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-people-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

/** All of so many witnesses must cosign. */
function policyWith(count: number): string {
  const witnesses = Array.from({ length: count }, (_, i) => {
    const { publicKey } = signerFromSeed(new Uint8Array(32).fill(i + 1))
    return `witness w${i} ${formatVerifierKey(`w${i}.example`, 4, publicKey)}\n`
  })
  const names = witnesses.map((__, i) => `w${i}`)
  return `${witnesses.join('')}group all-of-them all ${names.join(' ')}\nquorum all-of-them\n`
}

describe('what the settings say of the first trust root', () => {
  it('is nothing, people, witnesses, or both', async () => {
    const approvers = { keys: ['x'], threshold: 1 }
    const people = file('people', JSON.stringify({ approvers }))
    const policy = file('policy', '# nobody\nquorum none\n')
    expect(await readRootPeople(undefined)).toBeUndefined()
    expect(await readRootPeople(people)).toEqual({ approvers })
    expect(await readRootPeople(undefined, policy)).toEqual({ policy: '# nobody\nquorum none\n' })
    expect(await readRootPeople(people, policy)).toEqual({ approvers, policy: '# nobody\nquorum none\n' })
  })

  it.each([
    ['people', '{}'],
    ['people', '[]'],
    ['people', 'null'],
    ['people', '{"approvers":1,"others":2}'],
    ['people', 'not JSON'],
    ['people', `{"approvers":"${'x'.repeat(70_000)}"}`],
    ['policy', ''],
    ['policy', 'quorum w1\n'],
    ['policy', 'quorum none'],
    ['policy', 'quorum none\nquorum none\n'],
    ['policy', 'witness w1 junk\nquorum w1\n'],
    ['policy', `#${' '.repeat(70_000)}\nquorum none\n`],
    ['policy', policyWith(63)],
  ])('refuses %s of %j', async (kind, text) => {
    const bad = file('bad', text)
    const read = kind === 'people' ? readRootPeople(bad) : readRootPeople(undefined, bad)
    await expect(read).rejects.toMatchObject({ code: 'root-file-unusable' })
  })

  it('is as many witnesses as fit a checkpoint', async () => {
    const most = policyWith(62)
    expect(await readRootPeople(undefined, file('most', most))).toEqual({ policy: most })
  })

  it('is about files that are there', async () => {
    const gone = join(folder, 'gone')
    await expect(readRootPeople(gone)).rejects.toMatchObject({ code: 'root-file-unusable' })
    await expect(readRootPeople(undefined, gone)).rejects.toMatchObject({ code: 'root-file-unusable' })
  })
})

describe('a first start', () => {
  it('needs no witness policy', async () => {
    const place = openPlace()
    expect(place.config.witnessPolicyFile).toBeUndefined()
    const at = await place.start()
    expect(at.registry.ledger.trustRoot().quorum.isNone).toBe(true)
    await place.remove()
  })
})
