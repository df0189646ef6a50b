import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { generateKeyPairSync } from 'node:crypto'
import { homedir, hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  homeFolder,
  machineFacts,
  readKey,
  readTrust,
  readTrustRoot,
  writeKey,
  writeTrust,
} from 'countersign/node'
import { fillSlot, randomBytes, signerFromSeed } from 'countersign/core'
import { replaceFile } from '../../client/src/node/files.js'
import { codeOfAsync } from '../client/support.js'
import { openWorld } from '../support/world.js'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-node-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

describe('replacing a file', () => {
  it('leaves the old content and no draft when it is not due any more at the last moment', async () => {
    const file = join(dir, 'state.json')
    expect(await replaceFile(file, 'old')).toBe(true)
    const seen: string[][] = []
    const isDue = async (): Promise<boolean> => {
      seen.push(await readdir(dir))
      return false
    }
    expect(await replaceFile(file, 'new', isDue)).toBe(false)
    // It is asked when the new content is on disk already.
    expect(seen.map((names) => names.length)).toEqual([2])
    expect([await readFile(file, 'utf8'), await readdir(dir)]).toEqual(['old', ['state.json']])
  })
})

describe('key files', () => {
  it('are PKCS #8 PEM, 0600, never overwritten, and open as the same key', async () => {
    const seed = randomBytes(32)
    const file = join(dir, 'deep', 'key.pem')
    await writeKey(file, seed)
    expect(await readFile(file, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await readKey(file)).kid).toBe(signerFromSeed(seed).kid)
    expect(await codeOfAsync(() => writeKey(file, seed))).toBe('io')
    expect(await codeOfAsync(() => writeKey(join(dir, 'short'), new Uint8Array(31)))).toBe('key-invalid')
  })

  it('with a passphrase open with that one alone', async () => {
    const file = join(dir, 'key.pem')
    const seed = randomBytes(32)
    await writeKey(file, seed, 'correct horse')
    expect(await readFile(file, 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
    expect((await readKey(file, 'correct horse')).kid).toBe(signerFromSeed(seed).kid)
    expect(await codeOfAsync(() => readKey(file, 'wrong'))).toBe('key-invalid')
    expect(await codeOfAsync(() => readKey(file))).toBe('key-invalid')
    expect(await codeOfAsync(() => writeKey(join(dir, 'empty'), seed, ''))).toBe('key-invalid')
  })

  it('that others can read, are missing or hold another key are refused', async () => {
    const file = join(dir, 'key.pem')
    await writeKey(file, randomBytes(32))
    await chmod(file, 0o644)
    expect(await codeOfAsync(() => readKey(file))).toBe('io')
    expect(await codeOfAsync(() => readKey(join(dir, 'none')))).toBe('io')
    const rsa = join(dir, 'rsa.pem')
    const { privateKey } = generateKeyPairSync('ed448')
    await writeFile(rsa, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    expect(await codeOfAsync(() => readKey(rsa))).toBe('key-invalid')
    await writeFile(rsa, 'nonsense')
    expect(await codeOfAsync(() => readKey(rsa))).toBe('key-invalid')
  })
})

describe('trust files', () => {
  it('keep what was pinned, the last one as default', async () => {
    const [one, two] = [openWorld(), openWorld({ name: 'two' })]
    await writeTrust({ ...one.trust, registry: 'https://one.example' }, dir)
    expect(await readTrust(dir)).toEqual({ ...one.trust, registry: 'https://one.example' })
    await writeTrust(two.trust, dir)
    expect((await readTrust(dir)).identity).toBe(two.identity)
    expect((await readTrust(dir, one.identity)).registry).toBe('https://one.example')
    expect((await readTrustRoot(join(dir, 'trust', one.identity, 'root.note'))).version).toBe(1)
  })

  it('that are missing or damaged are refused', async () => {
    const world = openWorld()
    expect(await codeOfAsync(() => readTrust(dir))).toBe('usage')
    await writeTrust(world.trust, dir)
    expect(await codeOfAsync(() => readTrust(dir, '../evil'))).toBe('root-malformed')
    const note = join(dir, 'trust', world.identity, 'root.note')
    await writeFile(note, openWorld({ name: 'other' }).trust.rootNote)
    expect(await codeOfAsync(() => readTrust(dir))).toBe('registry-mismatch')
    await writeFile(note, (await readFile(note, 'utf8')).replace('"threshold":1', '"threshold":2'))
    expect(await codeOfAsync(() => readTrustRoot(note))).toBe('root-malformed')
    await writeFile(join(dir, 'trust.json'), '{}')
    expect(await codeOfAsync(() => readTrust(dir))).toBe('root-malformed')
    expect(await codeOfAsync(() => readTrustRoot(join(dir, 'none')))).toBe('io')
    expect(await codeOfAsync(() => writeTrust({ ...world.trust, identity: 'x' }, dir))).toBe(
      'registry-mismatch',
    )
  })
})

describe('homeFolder', () => {
  it('is named, or in the platform’s configuration folder', () => {
    const home = '/home/u'
    expect(homeFolder({ COUNTERSIGN_HOME: '/x/y' })).toBe('/x/y')
    expect(homeFolder({ HOME: home }, 'linux')).toBe('/home/u/.config/countersign')
    expect(homeFolder({ HOME: home, XDG_CONFIG_HOME: '/cfg' }, 'linux')).toBe('/cfg/countersign')
    expect(homeFolder({ HOME: home, XDG_CONFIG_HOME: 'relative' }, 'linux')).toBe(
      '/home/u/.config/countersign',
    )
    expect(homeFolder({ HOME: home }, 'darwin')).toBe('/home/u/Library/Application Support/countersign')
    expect(homeFolder({ HOME: home, APPDATA: '/roaming' }, 'win32')).toBe('/roaming/countersign')
    expect(homeFolder({}, 'linux')).toBe(join(homedir(), '.config', 'countersign'))
  })
})

describe('machineFacts', () => {
  it('are what a server on this machine finds', () => {
    const facts = machineFacts('/srv', Date.UTC(2026, 10, 1, 12))
    expect(facts).toMatchObject({
      hostname: hostname(),
      os: process.platform,
      cwd: '/srv',
      date: '2026-11-01',
      'node-version': process.version,
    })
    const slot = { pointer: '/description', parts: ['On ', { fact: 'date' as const }] }
    expect(fillSlot(slot, 'On 2026-11-01', facts)).toBe('On 2026-11-01')
    expect(fillSlot(slot, 'On 2026-11-02', facts)).toBeUndefined()
  })
})
