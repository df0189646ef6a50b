import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeDatabase, type TestDatabase } from '../support/postgres.js'
import { startRegistry, type RunningRegistry } from '../support/processes.js'
import {
  bootstrap,
  callerOf,
  newKey,
  addPublisher,
  sampleManifest,
  send,
  signManifest,
  type Caller,
  type TestRegistry,
} from '../support/registry.js'

let dir: string
let database: TestDatabase | undefined
const running: RunningRegistry[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-shutdown-'))
  database = process.env['TEST_ENGINE'] === 'postgres' ? await makeDatabase() : undefined
})
afterEach(async () => {
  for (const { child } of running.splice(0)) {
    if (child.kill('SIGKILL')) await once(child, 'exit')
  }
  await database?.drop()
  await rm(dir, { recursive: true, force: true })
})

async function start(): Promise<RunningRegistry> {
  const place = database === undefined ? {} : { COUNTERSIGN_DATABASE_URL: database.url }
  const one = await startRegistry(join(dir, 'data'), { COUNTERSIGN_LOG_LEVEL: 'fatal', ...place })
  running.push(one)
  return one
}

interface Reply {
  readonly status: number
  readonly body: { readonly manifest?: string; readonly index?: number }
}

async function readReply(res: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = []
  for await (const chunk of res as AsyncIterable<Buffer>) chunks.push(chunk)
  return { status: res.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as Reply['body'] }
}

/** Logged: published, or not yet when the disk takes its time. */
const isLogged = ({ status }: Reply): boolean => status === 201 || status === 202

/** One request on a kept connection. `cut`: the answer had begun and did not end. */
function post(agent: Agent, caller: Caller, token: string, body: string): Promise<Reply | 'refused' | 'cut'> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/jose' }
    const sent = request(`${caller.url}/v1/manifests`, { method: 'POST', agent, headers }, (res) => {
      void readReply(res).then(resolve, () => resolve('cut'))
    })
    sent.on('error', () => resolve('refused'))
    sent.end(body)
  })
}

/** A publish of which the head has arrived and the body has not; what sends the rest, and what is answered. */
async function begin(caller: Caller, token: string, body: string) {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/jose',
    'content-length': Buffer.byteLength(body),
    expect: '100-continue',
  }
  const sent = request(`${caller.url}/v1/manifests`, {
    method: 'POST',
    headers,
    agent: new Agent({ keepAlive: true }),
  })
  const answer = new Promise<{ reply: Reply; connection: string | undefined }>((resolve, reject) => {
    sent.on('error', reject)
    sent.on('response', (res) => {
      res.on('error', reject)
      void readReply(res).then((reply) => resolve({ reply, connection: res.headers.connection }), reject)
    })
  })
  sent.flushHeaders()
  await once(sent, 'continue')
  const finish = (): void => {
    if (!sent.writableEnded) sent.end(body)
  }
  return { answer, finish }
}

describe('SIGTERM under load', () => {
  it('ends every answer that has begun, keeps every publish that was answered, and ends with 0', async () => {
    const first = await start()
    const admin = callerOf(first.url, await bootstrap(first.url, 'admin', first.oneTimePassword))
    const identity = String((await send(first.url, 'GET', '/v1/status')).body['registry'])
    const at = { url: first.url, admin, identity } as unknown as TestRegistry
    const publisher = await addPublisher(at, 'com.example', admin, newKey())
    const token = await admin.token()
    const envelopes = Array.from({ length: 2000 }, (_, i) => i)
    const sign = (i: number) =>
      signManifest(sampleManifest(identity, { server: `com.example/s${i}` }), publisher.key)

    const begun: Awaited<ReturnType<typeof begin>>[] = []
    const agent = new Agent({ keepAlive: true, maxSockets: 8 })
    const replies: Awaited<ReturnType<typeof post>>[] = []
    let answered = 0
    const lane = async (): Promise<void> => {
      for (;;) {
        const i = envelopes.shift()
        if (i === undefined) return
        const reply = await post(agent, admin, token, sign(i))
        replies.push(reply)
        if (reply === 'refused' || reply === 'cut') {
          // It closes, and gives whoever has begun some seconds.
          for (const one of begun) one.finish()
          return
        }
        if (isLogged(reply) && ++answered === 40) {
          begun.push(await begin(admin, token, sign(2000)))
          first.child.kill('SIGTERM')
        }
      }
    }
    const ended = once(first.child, 'exit')
    await Promise.all(Array.from({ length: 8 }, lane))
    agent.destroy()
    const [early] = begun
    if (early === undefined) throw new Error('nothing had begun')
    // It had begun: it is answered, and told that the connection ends.
    const { reply, connection } = await early.answer
    expect([isLogged(reply), connection]).toEqual([true, 'close'])
    expect((await ended) as unknown[]).toEqual([0, null])

    expect(replies.filter((reply) => reply === 'cut')).toEqual([])
    const whole = replies.filter((reply): reply is Reply => typeof reply === 'object')
    const acknowledged = [...whole.filter(isLogged), reply]
    expect(acknowledged.length).toBeGreaterThan(40)

    const again = await start()
    const reviewer = callerOf(again.url, admin.client)
    for (const { body } of acknowledged) {
      const { status } = await reviewer.get(`/v1/manifests/${body.manifest ?? ''}`)
      expect([body.index, status]).toEqual([body.index, 200])
    }
    await again.stop()
    expect(again.child.exitCode).toBe(0)
  })
})
