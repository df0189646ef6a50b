import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSeat, type Seat } from '../support/cli-inside.js'
import { codeOf } from './support.js'
import { tokenFrom } from '../../client/src/cli/reading.js'
import {
  addPublisher,
  callerOf,
  releaseSample,
  startRegistry,
  type TestRegistry,
} from '../support/registry.js'

// The command line at a registry that is read by whom it knows.

const SERVER = 'com.example/weather'

let at: TestRegistry
let seat: Seat
let folder: string

beforeAll(async () => {
  at = await startRegistry({ config: { privacy: 'all' } })
  seat = openSeat({ registry: at.url })
  folder = mkdtempSync(join(tmpdir(), 'countersign-private-'))
  await releaseSample(at, await addPublisher(at, 'com.example'), { server: SERVER })
})
afterAll(async () => {
  seat.close()
  rmSync(folder, { recursive: true })
  await at.close()
})

const secretFile = (): string => {
  const file = join(folder, 'secret')
  writeFileSync(file, `${at.admin.client.clientSecret}\n`, { mode: 0o600 })
  return file
}

describe('a private registry', () => {
  it('asks who has no login to log in', async () => {
    const refused = await seat.fails('trust', 'add', at.url, '--fingerprint', at.fingerprint)
    expect(refused.code).toBe('not-logged-in')
  })

  it('is read with the login that is kept', async () => {
    const { clientId } = at.admin.client
    await seat.ok('login', '--client-id', clientId, '--client-secret-file', secretFile())
    await seat.ok('trust', 'add', at.url, '--fingerprint', at.fingerprint)
    expect(await seat.ok('verify', SERVER)).toMatchObject({ server: SERVER })
    expect((await seat.ok('status', SERVER))['versions']).toHaveLength(1)
    expect(await seat.ok('log', 'verify')).toMatchObject({ ok: true })
    await seat.ok('bundle', SERVER, '--out', join(folder, 'offline'))
    await seat.ok('trust', 'update')
  })

  it('is mirrored with the login, and with a token that was handed over', async () => {
    expect(await seat.ok('mirror', '--out', join(folder, 'first'))).toMatchObject({ servers: 1 })
    await seat.ok('logout')
    expect((await seat.fails('mirror', '--out', join(folder, 'second'))).code).toBe('not-logged-in')
    const file = join(folder, 'token')
    writeFileSync(file, `${await callerOf(at.url, at.admin.client, 'registry:read').token()}\n`)
    const mirrored = await seat.ok('mirror', '--out', join(folder, 'second'), '--token-file', file)
    expect(mirrored).toMatchObject({ servers: 1 })
  })

  it('is gone for a host whose login is, and what the host knows counts', async () => {
    const { code, detail } = await seat.fails('verify', SERVER)
    expect([code, detail['reason']]).toEqual(['registry-unreachable', 'not-logged-in'])
  })
})

describe('a login', () => {
  it('is sent to its own registry and to no other', async () => {
    const authorizations: (string | undefined)[] = []
    const other: Server = createServer((req, res) => {
      authorizations.push(req.headers.authorization)
      res.writeHead(401).end()
    })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    try {
      const { clientId } = at.admin.client
      await seat.ok('login', '--client-id', clientId, '--client-secret-file', secretFile())
      const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
      expect((await seat.fails('trust', 'add', url, '--registry', url)).code).toBe('not-logged-in')
      expect(authorizations.length).toBeGreaterThan(0)
      expect(authorizations.every((one) => one === undefined)).toBe(true)
    } finally {
      other.close().closeAllConnections()
    }
  })
})

describe('a token out of a file', () => {
  it('is read each time, and looked for at once', async () => {
    const file = join(folder, 'rotating')
    writeFileSync(file, 'one\n')
    const token = tokenFrom(file)
    expect(await token()).toBe('one')
    writeFileSync(file, 'two\n')
    expect(await token()).toBe('two')
    // As long as a token may be (test/client/private.test.ts), and no longer.
    const long = 'x'.repeat(16_384)
    writeFileSync(file, `${long}\r\n`)
    expect(await token()).toBe(long)
    writeFileSync(file, `${long}xxx`)
    await expect(token()).rejects.toMatchObject({ code: 'input-too-large' })
    rmSync(file)
    await expect(token()).rejects.toMatchObject({ code: 'io' })
    expect(codeOf(() => tokenFrom(file))).toBe('io')
    expect(codeOf(() => tokenFrom('-'))).toBe('usage')
  })
})
