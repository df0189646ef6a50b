import { describe, expect, it } from 'vitest'
import {
  allow,
  eventsOf,
  fakeReviewer,
  FakeServer,
  MODERN,
  openGuard,
  type Message,
  type Opened,
} from './support.js'

const KEY = 'io.modelcontextprotocol/subscriptionId'
const LISTEN = 'subscriptions/listen'
const CHANGED = 'notifications/tools/list_changed'

interface Setup extends Opened {
  readonly server: FakeServer
  /** What the host is allowed now. */
  readonly allowed: string[]
  readonly own: () => Message[]
  readonly heardOf: (method: string) => Message[]
}

async function open(
  capabilities: object = { tools: { listChanged: true } },
  answers: Record<string, (message: Message) => object | undefined> = {},
): Promise<Setup> {
  const server = new FakeServer({
    'server/discover': () => ({ result: { resultType: 'complete', capabilities } }),
    'tools/list': () => ({ result: { tools: [{ name: 'good' }], resultType: 'complete', ttlMs: 0 } }),
    'tools/call': () => ({ result: { content: [], resultType: 'complete' } }),
    ...answers,
  })
  const allowed = ['good']
  const opened = await openGuard(server, { host: fakeReviewer(() => allow(...allowed)) })
  return {
    server,
    allowed,
    own: () => server.asked(LISTEN).filter(({ id }) => String(id).startsWith('countersign:')),
    heardOf: (method) => opened.heard.messages.filter((message) => message.method === method),
    ...opened,
  }
}

const discover = { ...MODERN }
const hostListen = { notifications: { toolsListChanged: true }, ...MODERN }
const tagged = (id: unknown): object => ({
  jsonrpc: '2.0',
  method: CHANGED,
  params: { _meta: { [KEY]: id } },
})

describe('the guard’s own subscription in the 2026 era', () => {
  it('freezes the tools though the host listens to nothing, and the host hears nothing of it', async () => {
    const { ask, server, own, allowed, heard } = await open()
    await ask(1, 'server/discover', discover)
    expect(own()).toMatchObject([{ params: hostListen }])
    await ask(2, 'tools/call', { name: 'good', ...MODERN })
    allowed.length = 0
    server.say(tagged(own()[0]?.id))
    expect(await ask(3, 'tools/call', { name: 'good', ...MODERN })).toMatchObject({ error: { code: -32602 } })
    expect(heard.messages.filter(({ method }) => method !== undefined)).toEqual([])
    expect(eventsOf(heard, 'frozen')).toMatchObject([{ list: 'tools', cause: 'server' }])
  })

  it('gives way to the host’s and comes back when that ends', async () => {
    const { ask, guard, own, server, heardOf } = await open()
    await ask(1, 'server/discover', discover)
    await guard.send({ jsonrpc: '2.0', id: 'listen:0', method: LISTEN, params: hostListen })
    expect(server.asked('notifications/cancelled')).toMatchObject([{ params: { requestId: own()[0]?.id } }])
    server.say(tagged('listen:0'))
    await expect.poll(() => heardOf(CHANGED)).toEqual([tagged('listen:0')])
    await guard.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'listen:0' } })
    expect(own()).toHaveLength(2)
    await guard.close()
  })

  it('is opened for no server that announces no changes, or answers that it has none', async () => {
    const silent = await open({ tools: {} })
    await silent.ask(1, 'server/discover', discover)
    await silent.ask(2, 'tools/list', MODERN)
    expect(silent.own()).toEqual([])
    const without = await open(undefined, { [LISTEN]: () => ({ error: { code: -32601, message: 'no' } }) })
    await without.ask(1, 'server/discover', discover)
    await expect.poll(() => without.own()).toHaveLength(1)
    for (const id of [2, 3]) await without.ask(id, 'tools/list', MODERN)
    expect(without.own()).toHaveLength(1)
  })

  it('is never sent to a server of the 2025 era, not even behind a failed probe', async () => {
    const { ask, guard, server } = await open(undefined, {
      'server/discover': () => ({ error: { code: -32601, message: 'what?' } }),
      initialize: () => ({
        result: { protocolVersion: '2025-11-25', capabilities: { tools: { listChanged: true } } },
      }),
    })
    await ask(1, 'server/discover', discover)
    await guard.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
    await ask(2, 'initialize', { protocolVersion: '2025-11-25' })
    await ask(3, 'tools/list')
    expect(server.asked(LISTEN)).toEqual([])
  })

  it('is opened anew after the server ended it, in either way', async () => {
    const { ask, own, server, heard } = await open()
    await ask(1, 'server/discover', discover)
    server.say({ jsonrpc: '2.0', id: own()[0]?.id, result: {} })
    await expect.poll(() => own()).toHaveLength(2)
    server.say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: own()[1]?.id } })
    await expect.poll(() => own()).toHaveLength(3)
    expect(heard.messages.filter(({ method }) => method !== undefined)).toEqual([])
  })
})

describe('the host’s subscription', () => {
  it('is honoured for lists whatever the server honours: the guard announces them itself', async () => {
    const { guard, server, heardOf } = await open()
    await guard.send({ jsonrpc: '2.0', id: 'l', method: LISTEN, params: hostListen })
    server.say({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: {}, _meta: { [KEY]: 'l' } },
    })
    expect(heardOf('notifications/subscriptions/acknowledged')).toMatchObject([
      { params: { notifications: { toolsListChanged: true }, _meta: { [KEY]: 'l' } } },
    ])
  })

  it('is kept open by the guard alone where the server has none, and hears of a revocation', async () => {
    const { ask, guard, heard, allowed, heardOf } = await open(undefined, {
      [LISTEN]: () => ({ error: { code: -32601, message: 'EVIL' } }),
    })
    await ask(1, 'tools/list', MODERN)
    let ended = 0
    const options = { onRequestStreamEnd: () => ended++ }
    await guard.send({ jsonrpc: '2.0', id: 'l', method: LISTEN, params: hostListen }, options)
    await expect
      .poll(() => heardOf('notifications/subscriptions/acknowledged'))
      .toMatchObject([{ params: { notifications: { toolsListChanged: true }, _meta: { [KEY]: 'l' } } }])
    allowed.length = 0
    await guard.recheck()
    await expect.poll(() => heardOf(CHANGED)).toEqual([tagged('l')])
    expect(JSON.stringify(heard.messages)).not.toContain('EVIL')
    expect(ended).toBe(0)
  })

  it('that the server cancels is over: nothing is announced on it any more', async () => {
    const { ask, guard, server, allowed, heardOf } = await open()
    await guard.send({ jsonrpc: '2.0', id: 'l', method: LISTEN, params: hostListen })
    await ask(1, 'tools/list', MODERN)
    server.say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'l' } })
    expect(heardOf('notifications/cancelled')).toHaveLength(1)
    allowed.length = 0
    await guard.recheck()
    await ask(2, 'tools/list', MODERN)
    expect(heardOf(CHANGED)).toEqual([])
  })
})

describe('a result that asks for more', () => {
  it('keeps its state byte for byte, and the retry is a call like any other', async () => {
    const state = 'opaque\u0000\ud800 state'
    const { ask, server, heard } = await open(undefined, {
      'tools/call': ({ params }) => ({
        result:
          params?.['requestState'] === state
            ? { content: [], resultType: 'complete' }
            : {
                resultType: 'input_required',
                requestState: state,
                inputRequests: { a: { method: 'roots/list' } },
              },
      }),
    })
    const first = await ask(1, 'tools/call', { name: 'good', ...MODERN })
    expect(first).toMatchObject({
      result: { requestState: state, inputRequests: { a: { method: 'roots/list' } } },
    })
    const retry = { name: 'good', requestState: state, inputResponses: { a: { roots: [] } }, ...MODERN }
    expect(await ask(2, 'tools/call', retry)).toMatchObject({ result: { content: [] } })
    expect(server.asked('tools/call')[1]?.params).toEqual(retry)
    expect(eventsOf(heard, 'call-ended').map(({ status }) => status)).toEqual(['ok', 'ok'])
    expect(await ask(3, 'tools/call', { ...retry, name: 'evil' })).toMatchObject({ error: { code: -32602 } })
  })
})
