import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryInProcess, openHost } from 'countersign'
import { readTrust } from 'countersign/node'
import { validatorFor } from '../../client/src/cli/guard.js'
import { openSeat, trustRegistry, type Seat } from '../support/cli-inside.js'
import { send, startRegistry, type TestRegistry } from '../support/registry.js'

// An organisation writes a policy, its root key holder signs it, its registry serves it, its hosts go by it.

const FORMAT = 'countersign/host-policy/v1'

let folder: string
let served: string
let at: TestRegistry
let seat: Seat
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-policy-'))
  served = write('served', { format: FORMAT, managed: true })
  at = await startRegistry({ config: { hostPolicyFile: served } })
  seat = openSeat({ registry: at.url })
  await trustRegistry(seat, at)
})
afterAll(async () => {
  seat.close()
  await at.close()
  rmSync(folder, { recursive: true, force: true })
})

function write(name: string, value: object | string): string {
  const file = join(folder, name)
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value))
  return file
}

const rootKey = (): string => join(at.dir, 'data', 'keys', 'root.key')
const openHere = async () =>
  openHost({
    registry: at.url,
    trust: await readTrust(seat.home),
    memory: memoryInProcess(),
    policySource: 'registry',
  })

it('a guard has what checks schemas where its policy may yet ask for it', async () => {
  const off = {
    mode: 'enforce',
    unknownServers: 'pin',
    managed: false,
    arguments: 'off',
    results: 'off',
  } as const
  expect(await validatorFor({ policy: off }, {})).toEqual({})
  expect(await validatorFor({ policy: off }, { policy: 'policy.json' })).toEqual({})
  expect(await validatorFor({ policy: off }, { policy: 'registry' })).toHaveProperty('validator')
  expect(await validatorFor({ policy: { ...off, results: 'report' } }, {})).toHaveProperty('validator')
})

describe('countersign policy', () => {
  it('shows what a file says, with everything it leaves to the defaults', async () => {
    const file = write('mine.json', { format: FORMAT, managed: true, consent: { text: 'consent' } })
    expect(await seat.ok('policy', 'show', file)).toEqual({
      policy: {
        mode: 'enforce',
        unknownServers: 'block',
        managed: true,
        consent: {
          none: 'silent',
          cosmetic: 'silent',
          narrowed: 'recorded',
          text: 'consent',
          widened: 'recorded',
          dangerous: 'consent',
        },
        scopes: 'report',
        arguments: 'report',
        results: 'report',
        uniqueToolNames: false,
        dynamicResources: 'pass',
        refusals: 'hide',
      },
    })
    const said = write('said.json', {
      format: FORMAT,
      arguments: 'enforce',
      refusals: 'explain',
      uniqueToolNames: true,
      maxSeconds: 60,
    })
    expect(await seat.ok('policy', 'show', said)).toMatchObject({
      policy: {
        managed: false,
        unknownServers: 'pin',
        arguments: 'enforce',
        results: 'report',
        refusals: 'explain',
        uniqueToolNames: true,
        maxSeconds: 60,
        consent: { widened: 'consent' },
      },
    })
    const { stdout } = await seat.run('policy', 'show', said)
    expect(stdout).toMatch(/refreshSeconds +as the trust root says/)
    expect(stdout).toMatch(/maxSeconds +60/)
    const bad = write('bad.json', { format: FORMAT, allow: '*' })
    expect((await seat.fails('policy', 'show', bad)).code).toBe('policy-malformed')
  })

  it('an unsigned one is served as it is, shown, and applied by nobody', async () => {
    const reply = await send(at.url, 'GET', '/v1/host-policy')
    expect([reply.text, reply.headers.get('content-type')]).toEqual([
      readFileSync(served, 'utf8'),
      'application/json; charset=utf-8',
    ])
    expect(await seat.ok('policy', 'show')).toMatchObject({
      served: true,
      signed: false,
      policy: { managed: true },
    })
    await expect(openHere()).rejects.toMatchObject({ code: 'signature-invalid' })
  })

  it('a signed one is served byte for byte, and hosts go by it', async () => {
    const out = join(folder, 'policy.note')
    const args = ['policy', 'sign', served, '--key', rootKey(), '--set-version', '4', '--out', out]
    expect(await seat.ok(...args)).toMatchObject({
      registry: at.identity,
      version: 4,
      signatures: 1,
      threshold: 1,
      whole: true,
    })
    const note = readFileSync(out, 'utf8')
    expect(note.startsWith(`${FORMAT}\n${at.identity}\n4\n`)).toBe(true)
    // To sign it once more with the same key adds nothing.
    expect(await seat.ok('policy', 'sign', out, '--key', rootKey(), '--out', out)).toMatchObject({
      signatures: 1,
    })
    writeFileSync(served, note)
    at = await at.restart()
    const reply = await send(at.url, 'GET', '/v1/host-policy')
    expect([reply.text, reply.headers.get('content-type')]).toEqual([note, 'text/plain; charset=utf-8'])
    await seat.ok('trust', 'add', at.url, '--fingerprint', at.fingerprint)
    expect(await seat.ok('policy', 'show', '--registry', at.url)).toMatchObject({
      served: true,
      signed: true,
      verdict: 'verified',
      version: 4,
      policy: { managed: true, unknownServers: 'block' },
    })
    const host = await openHere()
    expect(host.policy).toEqual({ mode: 'enforce', managed: true, unknownServers: 'block' })
    await host.close()
  })

  it.each([
    ['without a version', ['--key', 'ROOT'], 'usage'],
    ['with version 0', ['--key', 'ROOT', '--set-version', '0'], 'usage'],
    ['with a key of somebody else', ['--key', 'OTHER', '--set-version', '1'], 'usage'],
    ['with a key that is none', ['--key', 'NONE', '--set-version', '1'], 'key-invalid'],
    ['with a key that is not there', ['--key', 'ABSENT', '--set-version', '1'], 'usage'],
  ])('is not signed %s', async (_, args, code) => {
    const other = join(folder, 'other.pem')
    if (args.includes('OTHER')) await seat.ok('keygen', '--out', other)
    const none = write('none.pem', 'nothing')
    chmodSync(none, 0o600)
    const files: Record<string, string> = {
      ROOT: rootKey(),
      OTHER: other,
      NONE: none,
      ABSENT: join(folder, 'x'),
    }
    const file = write('plain.json', { format: FORMAT })
    const failed = await seat.fails('policy', 'sign', file, ...args.map((one) => files[one] ?? one))
    expect(failed.code).toBe(code)
  })

  it('signs nothing that hosts would refuse, and nothing for others', async () => {
    const key = ['--key', rootKey(), '--set-version', '1']
    const bad = write('bad.json', { format: FORMAT, mode: 'off' })
    expect((await seat.fails('policy', 'sign', bad, ...key)).code).toBe('policy-malformed')
    const elsewhere = write(
      'elsewhere.note',
      `${FORMAT}\nregistry-other\n1\n{"format":"${FORMAT}"}\n\n— x AAAAAAA=\n`,
    )
    expect((await seat.fails('policy', 'sign', elsewhere, '--key', rootKey())).code).toBe('registry-mismatch')
  })

  it('never says a word of the key', async () => {
    const secret = readFileSync(rootKey(), 'utf8').trim()
    const result = await seat.run('policy', 'sign', served, '--key', rootKey(), '--set-version', '9')
    // PRIVATE+KEY+<name>+<id>+<base64>, and the base64 has plus signs of its own.
    const seed = secret.split('+').slice(4).join('+')
    expect(seed).toHaveLength(44)
    expect(result.stdout + result.stderr).not.toContain(seed)
  })
})
