import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRoom } from '../../src/http/room.js'
import {
  addPublisher,
  addAccount,
  sampleManifest,
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

  /** Announces an envelope of six MiB and sends a little of it; the status line of whatever answers first. */
  async function begin(caller: Caller): Promise<string | undefined> {
    const socket = connect(Number(new URL(at.url).port), '127.0.0.1')
    sockets.push(socket)
    const head = ['POST /v1/manifests HTTP/1.1', 'Host: x', `Authorization: Bearer ${await caller.token()}`]
    head.push('Content-Type: application/jose', `Content-Length: ${SIX_MIB}`, '', 'abc')
    socket.write(head.join('\r\n'))
    const answer = new Promise<string>((resolve) => {
      socket.once('data', (chunk) => resolve(chunk.toString().split('\r\n', 1)[0]!))
      socket.once('close', () => resolve('closed'))
    })
    return Promise.race([answer, wait(150, undefined)])
  }

  it('of one account end before memory does, and others still get in', async () => {
    const statuses = []
    for (let i = 0; i < 6; i++) statuses.push(await begin(publisher))
    expect(statuses.filter((status) => status === undefined)).toHaveLength(4)
    expect(statuses.at(-1)).toMatch(/^HTTP\/1\.1 429 /)
    const other = await addPublisher(at, 'com.example')
    const envelope = signManifest(sampleManifest(at.identity, { server: 'com.example/x' }), other.key)
    expect((await other.caller.post('/v1/manifests', envelope)).status).toBe(201)
  })

  it('give their room back when the sender goes away', async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await wait(100)
    expect(await begin(publisher)).toBeUndefined()
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
