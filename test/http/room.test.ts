import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEFAULT_ROOM, openRoom, STRANGERS_ROOM } from '../../src/http/room.js'
import {
  addPublisher,
  addAccount,
  sampleManifest,
  send,
  signManifest,
  startRegistry,
  type Caller,
  type TestRegistry,
} from '../support/registry.js'

describe('openRoom', () => {
  it('has so many bytes for everybody, so many for one, and takes them back once', () => {
    const room = openRoom({ all: 10, each: 6 })
    const leave = room.enter('a', 6)
    expect(() => room.enter('a', 1)).toThrow(expect.objectContaining({ code: 'rate-limited' }))
    room.enter('b', 4)
    expect(() => room.enter('c', 1)).toThrow(expect.objectContaining({ code: 'unavailable' }))
    leave()
    leave()
    room.enter('a', 6)
    expect(() => room.enter('c', 1)).toThrow(expect.objectContaining({ code: 'unavailable' }))
  })
})

describe('large bodies over the wire', () => {
  const SIX_MIB = 6 * 1024 * 1024
  let at: TestRegistry
  let publisher: Caller
  const sockets: Socket[] = []
  beforeAll(async () => {
    at = await startRegistry()
    publisher = await addAccount(at, 'publisher', ['publisher'])
  })
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await at.close()
  })

  /** Announces an envelope of six MiB and sends a little of it; its status line is pushed when it is answered. */
  async function begin(caller: Caller, answers: string[]): Promise<void> {
    const socket = connect(Number(new URL(at.url).port), '127.0.0.1')
    sockets.push(socket)
    const head = ['POST /v1/manifests HTTP/1.1', 'Host: x', `Authorization: Bearer ${await caller.token()}`]
    head.push('Content-Type: application/jose', `Content-Length: ${SIX_MIB}`, '', 'abc')
    socket.write(head.join('\r\n'))
    // Whoever is refused may lose the connection before it has read to the end.
    socket.on('error', () => undefined)
    socket.once('data', (chunk) => answers.push(chunk.toString().split('\r\n', 1)[0]!))
  }

  it('of one account end before memory does, and others still get in', async () => {
    const answers: string[] = []
    for (let i = 0; i < 6; i++) await begin(publisher, answers)
    await expect.poll(() => answers).toHaveLength(2)
    const other = await addPublisher(at, 'com.example')
    const envelope = signManifest(sampleManifest(at.identity, { server: 'com.example/x' }), other.key)
    expect((await other.caller.post('/v1/manifests', envelope)).status).toBe(201)
    // The four others have their room, and are waited for.
    expect(answers.map((line) => line.slice(0, 13))).toEqual(['HTTP/1.1 429 ', 'HTTP/1.1 429 '])
  })

  it('give their room back when the sender goes away', async () => {
    const another = async (): Promise<number> => (await publisher.post('/v1/manifests', 'a')).status
    expect(await another()).toBe(429)
    for (const socket of sockets.splice(0)) socket.destroy()
    await expect.poll(another).toBe(400)
  })
})

describe('large bodies one after another', () => {
  it('are counted by account, since each holds up everybody while it is read; small ones are not', async () => {
    const at = await startRegistry({ overrides: { limits: { large: { points: 1, seconds: 600 } } } })
    try {
      const { caller } = await addPublisher(at, 'com.example')
      const statuses = []
      for (const bytes of [1_100_000, 1_100_000, 900_000, 900_000]) {
        statuses.push((await caller.post('/v1/manifests', 'a'.repeat(bytes))).status)
      }
      expect(statuses).toEqual([400, 429, 400, 400])
    } finally {
      await at.close()
    }
  })
})

describe('bodies of whom nobody knows', () => {
  const SMALL = 64 * 1024
  /** A report that is announced and never arrives, as from another address each. */
  const hold = (at: TestRegistry, n: number): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(at.url).port), '127.0.0.1', () => {
        const head = ['POST /v1/log/seen HTTP/1.1', 'Host: x', 'Content-Type: text/plain']
        head.push(`X-Forwarded-For: 192.0.2.${n % 200}`, `Content-Length: ${SMALL}`, 'Expect: 100-continue')
        socket.write([...head, '', ''].join('\r\n'))
      })
      socket.once('error', reject)
      socket.once('data', () => resolve(socket))
    })

  it('fill no room but their own: whoever is known still gets in', async () => {
    const at = await startRegistry({ config: { trustProxy: 1 } })
    const sockets: Socket[] = []
    const fill = async (bytes: number): Promise<void> => {
      for (let n = 0; n < bytes / SMALL; n += 64) {
        const some = Array.from({ length: 64 }, (_, i) => hold(at, n + i))
        sockets.push(...(await Promise.all(some)))
      }
    }
    try {
      await fill(DEFAULT_ROOM.all)
      const body = { name: 'known', roles: ['auditor'] }
      expect((await at.admin.post('/v1/admin/accounts', body)).status).toBe(201)
      // The first of them are cut when their time is up.
      await fill(STRANGERS_ROOM.all)
      const stranger = await send(at.url, 'POST', '/v1/bootstrap', { body: { account: 'a', password: 'x' } })
      expect([stranger.status, stranger.body.code]).toEqual([503, 'unavailable'])
    } finally {
      for (const socket of sockets) socket.destroy()
      await at.close()
    }
  })
})
