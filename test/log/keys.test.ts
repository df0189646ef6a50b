import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { randomBytes, registryIdentity, signerFromSeed } from 'countersign/core'
import { createKeys, newKey, openKeys, successorOrigin, writeKey } from '../../src/log/keys.js'

let folder: string
const keys = (): string => join(folder, 'data', 'keys')
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-keys-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a first start', () => {
  it('makes three keys that only their owner can read, and finds them again', async () => {
    const made = await openKeys(keys())
    expect(made.identity).toBe(registryIdentity(made.root!.key.publicKey))
    expect(made.origin).toBe(`${made.identity}/log`)
    expect(made.timestamper.key).toMatchObject({ name: `${made.identity}/timestamper`, type: 4 })
    expect(readdirSync(keys()).sort()).toEqual(['log.key', 'root.key', 'timestamper.key'])
    for (const name of readdirSync(keys())) expect(statSync(join(keys(), name)).mode & 0o777).toBe(0o600)
    expect(statSync(keys()).mode & 0o077).toBe(0)
    const again = await openKeys(keys())
    expect(again.log.key).toEqual(made.log.key)
    expect(again.root!.key).toEqual(made.root!.key)
    expect(again.timestamper.key).toEqual(made.timestamper.key)
  })

  it('takes an identity that was chosen, and only then', async () => {
    expect((await openKeys(keys(), { identity: 'tools.example' })).origin).toBe('tools.example/log')
    expect((await openKeys(keys())).identity).toBe('tools.example')
    const other = openKeys(keys(), { identity: 'another.example' })
    await expect(other).rejects.toMatchObject({ code: 'identity-mismatch' })
  })

  it('keeps the log key where it is told to', async () => {
    const logKeyFile = join(folder, 'log-key')
    const made = await openKeys(keys(), { logKeyFile })
    expect(existsSync(join(keys(), 'log.key'))).toBe(false)
    expect((await openKeys(keys(), { logKeyFile })).log.key).toEqual(made.log.key)
    await expect(openKeys(keys())).rejects.toMatchObject({ code: 'key-file-unusable' })
  })

  it('needs no root key where that is kept elsewhere, and says whose registry it is all the same', async () => {
    const made = await openKeys(keys(), { identity: 'tools.example' })
    rmSync(join(keys(), 'root.key'))
    const again = await openKeys(keys(), { identity: 'tools.example' })
    expect([again.identity, again.root, again.origin]).toEqual(['tools.example', undefined, made.origin])
    const other = openKeys(keys(), { identity: 'another.example' })
    await expect(other).rejects.toMatchObject({ code: 'identity-mismatch' })
  })

  it('makes none where the first root key is in other hands, and takes the identity from that', async () => {
    const rootKey = signerFromSeed(randomBytes(32)).publicKey
    await createKeys(keys(), { rootKey, ceremony: true })
    expect(await openKeys(keys())).toMatchObject({ identity: registryIdentity(rootKey), isCeremony: true })
    expect(existsSync(join(keys(), 'root.key'))).toBe(false)
  })

  it('is not confused by one that died half-way', async () => {
    await openKeys(`${keys()}.new`)
    const made = await openKeys(keys())
    expect((await openKeys(keys())).identity).toBe(made.identity)
  })
})

describe('a successor', () => {
  it('is named after the log before it', () => {
    expect(['a.example/log', 'a.example/log-2', 'a.example/log-9'].map(successorOrigin)).toEqual([
      ...['a.example/log-2', 'a.example/log-3', 'a.example/log-10'],
    ])
  })

  it('has a key that opens in its place, under one spelling of its name', async () => {
    const { identity } = await openKeys(keys())
    const put = async (name: string): Promise<void> => {
      rmSync(join(keys(), 'log.key'))
      await writeKey(join(keys(), 'log.key'), newKey(name))
    }
    await put(`${identity}/log-2`)
    expect((await openKeys(keys())).origin).toBe(`${identity}/log-2`)
    for (const name of ['log-1', 'log-02', 'log-', 'log-2x', 'other']) {
      await put(`${identity}/${name}`)
      await expect(openKeys(keys()), name).rejects.toMatchObject({ code: 'key-mismatch' })
    }
  })
})

describe('refusals', () => {
  // PRIVATE+KEY+<name>+<id>+<base64>, and the base64 has plus signs of its own.
  const secretOf = (name: string): string => {
    const secret = readFileSync(join(keys(), name), 'utf8').trim().split('+').slice(4).join('+')
    expect(secret).toHaveLength(44)
    return secret
  }

  it.each(['root.key', 'log.key', 'timestamper.key'])('refuses a %s that others may read', async (name) => {
    await openKeys(keys())
    chmodSync(join(keys(), name), 0o640)
    await expect(openKeys(keys())).rejects.toMatchObject({
      code: 'key-file-unusable',
      detail: { file: join(keys(), name) },
    })
  })

  it('never replaces a key that is gone', async () => {
    await openKeys(keys())
    rmSync(join(keys(), 'log.key'))
    await expect(openKeys(keys())).rejects.toMatchObject({ code: 'key-file-unusable' })
    expect(existsSync(join(keys(), 'log.key'))).toBe(false)
  })

  it('refuses keys of another registry or for another purpose', async () => {
    const other = join(folder, 'other')
    await openKeys(keys())
    await openKeys(other)
    const own = readFileSync(join(keys(), 'log.key'))
    copyFileSync(join(other, 'log.key'), join(keys(), 'log.key'))
    await expect(openKeys(keys())).rejects.toMatchObject({ code: 'key-mismatch' })
    copyFileSync(join(keys(), 'root.key'), join(keys(), 'log.key'))
    await expect(openKeys(keys())).rejects.toMatchObject({ code: 'key-mismatch' })
    copyFileSync(join(keys(), 'timestamper.key'), join(keys(), 'log.key'))
    await expect(openKeys(keys())).rejects.toMatchObject({ code: 'key-file-unusable' })
    writeFileSync(join(keys(), 'log.key'), own)
    await openKeys(keys())
  })

  it('shows a secret neither in errors nor when printed', async () => {
    const made = await openKeys(keys())
    const secret = secretOf('log.key')
    expect(inspect(made, { depth: 10, showHidden: true })).not.toContain(secret)
    expect(JSON.stringify(made)).not.toContain(secret)
    const text = readFileSync(join(keys(), 'log.key'), 'utf8')
    for (const bad of [
      text.replace('PRIVATE+KEY+', ''),
      text.replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
      'x'.repeat(9999),
    ]) {
      writeFileSync(join(keys(), 'log.key'), bad)
      const error = await openKeys(keys()).catch((cause: unknown) => cause)
      expect(error).toMatchObject({ code: 'key-file-unusable' })
      expect(inspect(error, { depth: 10 })).not.toContain(secret)
    }
  })
})
