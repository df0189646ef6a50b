import { describe, expect, it } from 'vitest'
import type { JsonObject } from 'countersign/core'
import type { CallInfo, GuardEvent } from '../../client/src/guard/index.js'
import { openRecordsOn } from '../../client/src/records/records.js'
import {
  callOf,
  DIGEST,
  goodCall,
  keepingSink,
  listed,
  MANIFEST,
  NOW,
  openPad,
  recordsOf,
  reviewOf,
  signed,
  type Line,
} from './support.js'

const SECRET = 'hunter2-do-not-write'

async function recordCall(change: Partial<CallInfo>, options: Parameters<typeof openPad>[0] = {}) {
  const pad = openPad(options)
  pad.tell(listed(reviewOf([signed('get_forecast', { city: { type: 'string' }, tags: {}, deep: {} })])))
  for (const event of goodCall(callOf(change))) pad.tell(event)
  const [, call] = await pad.written()
  return { call: call as Line, text: pad.text() }
}

describe('a call', () => {
  it('is one line, with the digests that it was allowed by', async () => {
    const { call } = await recordCall({})
    expect(call).toMatchObject({
      v: 1,
      kind: 'call',
      time: '2026-03-01T12:00:00.000Z',
      session: 'one',
      slot: 'npx weather',
      server: 'com.example/weather',
      version: '1.2.3',
      manifest: MANIFEST,
      digest: DIGEST,
      method: 'tools/call',
      tool: 'get_forecast',
      decision: 'allowed',
      status: 'ok',
      latencyMs: 1.235,
    })
  })

  it('says nothing before it is over, and is over once', async () => {
    const pad = openPad()
    const call = callOf()
    const [begun, allowed, ended] = goodCall(call) as [GuardEvent, GuardEvent, GuardEvent]
    pad.tell(begun)
    pad.tell(allowed)
    for (const event of goodCall(callOf())) pad.tell(event)
    pad.tell(ended)
    expect((await pad.written()).map(({ n }) => n)).toEqual([call.n + 1, call.n])
  })

  it('of an older manifest than the newest listing names its own, and no version of the other', async () => {
    const pad = openPad()
    pad.tell(listed(reviewOf([signed('get_forecast')])))
    const call = callOf()
    const other = `sha256:${'3'.repeat(64)}`
    pad.tell({ type: 'call-allowed', call, tool: 'get_forecast', digest: DIGEST, manifest: other })
    pad.tell({ type: 'call-ended', call, status: 'ok', latencyMs: 1 })
    const [, record] = await pad.written()
    expect(record).toMatchObject({ manifest: other })
    expect(record).not.toHaveProperty('version')
  })

  it('that was refused says why', async () => {
    const pad = openPad()
    const call = callOf({ name: 'steal' })
    pad.tell({ type: 'call-begun', call })
    pad.tell({ type: 'call-refused', call, tool: 'steal', code: 'unlisted-tool', detail: { name: 'steal' } })
    pad.tell({ type: 'call-ended', call, status: 'refused', latencyMs: 1, rpcCode: -32602 })
    expect(await pad.written()).toMatchObject([
      { kind: 'refusal', decision: 'refused', code: 'unlisted-tool', tool: 'steal', rpcCode: -32602 },
    ])
  })

  it('that enforcing would have refused is observed; one of nothing signed is passed', async () => {
    const pad = openPad()
    const [observed, passed] = [callOf(), callOf({ method: 'resources/read', name: 'file:///a' })]
    pad.tell({ type: 'call-observed', call: observed, tool: observed.name, code: 'definition-changed' })
    pad.tell({ type: 'call-ended', call: observed, status: 'ok', latencyMs: 1 })
    pad.tell({ type: 'call-ended', call: passed, status: 'cancelled', latencyMs: 1 })
    expect(await pad.written()).toMatchObject([
      { kind: 'call', decision: 'observed', code: 'definition-changed' },
      { kind: 'call', decision: 'passed', status: 'cancelled', name: 'file:///a' },
    ])
  })

  it('names what was reported of it', async () => {
    const pad = openPad()
    const call = callOf()
    const detail = { name: call.name, faults: ['/a: type (/properties/a/type)'] }
    pad.tell({ type: 'schema-violation', call, part: 'arguments', enforced: false, detail })
    pad.tell({ type: 'schema-violation', call, part: 'result', enforced: true, detail })
    pad.tell({ type: 'scope-missing', call, detail: { scope: 'mail.send' } })
    pad.tell({ type: 'call-ended', call, status: 'tool-error', latencyMs: 1, hidden: 2 })
    expect(await pad.written()).toMatchObject([
      {
        hidden: 2,
        reported: [
          { code: 'schema-violation', part: 'arguments' },
          { code: 'schema-violation', part: 'result', enforced: true },
          { code: 'scope-missing' },
        ],
      },
    ])
  })
})

describe('arguments', () => {
  const given: JsonObject = {
    city: SECRET,
    tags: [SECRET, SECRET],
    deep: { [SECRET]: SECRET },
    [SECRET]: 1,
  }

  it('are shapes: no value and no name that the schema does not have', async () => {
    const { call, text } = await recordCall({ arguments: given })
    expect(text).not.toContain(SECRET)
    expect(call['arguments']).toEqual({
      redacted: true,
      shapes: {
        city: { type: 'string', size: SECRET.length },
        tags: { type: 'array', size: 2 },
        deep: { type: 'object', size: 1 },
      },
      others: 1,
    })
  })

  it('of a call that was not allowed have no names at all', async () => {
    const pad = openPad()
    const call = callOf({ name: 'steal', arguments: { [SECRET]: SECRET } })
    pad.tell({ type: 'call-refused', call, tool: 'steal', code: 'unlisted-tool', detail: {} })
    pad.tell({ type: 'call-ended', call, status: 'refused', latencyMs: 1 })
    expect(await pad.written()).toMatchObject([{ arguments: { redacted: true, shapes: {}, others: 1 } }])
    expect(pad.text()).not.toContain(SECRET)
  })

  it('that violate their schema are not told by the path that leads through them', async () => {
    const pad = openPad()
    const call = callOf()
    const faults = [`/${SECRET}/x: type (/properties/x/type)`, `/a: ${SECRET}`]
    pad.tell({
      type: 'call-refused',
      call,
      tool: call.name,
      code: 'schema-violation',
      detail: { name: call.name, part: 'arguments', faults },
    })
    pad.tell({ type: 'call-ended', call, status: 'refused', latencyMs: 1 })
    expect(await pad.written()).toMatchObject([
      { code: 'schema-violation', detail: { faults: ['type (/properties/x/type)', 'fault'] } },
    ])
    expect(pad.text()).not.toContain(SECRET)
  })

  it('are values where a person asked for them', async () => {
    const { call } = await recordCall({ arguments: given }, { redact: 'nothing' })
    expect(call['arguments']).toEqual({ redacted: false, values: given })
  })

  it('are shapes all the same where they are too large for a line, or too deep', async () => {
    const large = { city: 'x'.repeat(100_000) }
    const deep = JSON.parse(`{"deep":${'['.repeat(9000)}${']'.repeat(9000)}}`) as JsonObject
    for (const given of [large, deep]) {
      const { call } = await recordCall({ arguments: given }, { redact: 'nothing' })
      expect(call['arguments']).toMatchObject({ redacted: true })
    }
  })

  it('that grow when they are escaped are left out, and the line says so', async () => {
    const { call, text } = await recordCall(
      { arguments: { city: '\u200b'.repeat(30_000) } },
      { redact: 'nothing' },
    )
    expect(call).toMatchObject({ truncated: ['arguments'], status: 'ok' })
    expect(call).not.toHaveProperty('arguments')
    expect(Math.max(...text.split('\n').map((line) => Buffer.byteLength(line)))).toBeLessThanOrEqual(65_536)
  })
})

describe('a URI', () => {
  it.each([
    ['https://user:pass@example.com/a?token=x#y', 'https://example.com/a'],
    ['file:///tmp/a', 'file:///tmp/a'],
    ['memo://a@b/c', 'memo://b/c'],
    ['mailto:a@example.com', 'mailto:a@example.com'],
  ])('%s is written as %s', async (uri, name) => {
    const { call } = await recordCall({ method: 'resources/read', name: uri })
    expect(call['name']).toBe(name)
  })
})

describe('a remote server', () => {
  it('is recorded by its URL, without what may be a secret in it', async () => {
    const sink = keepingSink()
    const records = openRecordsOn(sink, { now: () => NOW })
    const slot = 'https://user:pass@mcp.example.com/mcp?apiKey=SECRET#there'
    const tell = records.connection({ slot })
    for (const event of goodCall(callOf())) tell(event)
    records.onHostEvent({ type: 'shadowed', slot, name: 'read', detail: {} })
    await records.close()
    const written = 'https://mcp.example.com/mcp'
    expect(recordsOf(sink.text())).toMatchObject([{ slot: written }, { slot: written }])
    expect(sink.text()).not.toMatch(/SECRET|pass/)
  })

  it('of a command that has a question mark in it, is the command as it is', async () => {
    const sink = keepingSink()
    const records = openRecordsOn(sink, { now: () => NOW })
    const slot = 'npx weather --glob a?.txt --at https://example.com/#x'
    records.connection({ slot })({ type: 'request-refused', method: 'm', name: 'n', code: 'not-listed' })
    await records.close()
    expect(recordsOf(sink.text())).toMatchObject([{ slot }])
  })
})

describe('who asks', () => {
  const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

  it('stands in _meta: agent, conversation and trace', async () => {
    const meta = {
      'dev.countersign/agent': 'planner',
      'dev.countersign/conversation': 'c-1',
      'vscode.conversationId': 'c-2',
      traceparent: TRACE,
      tracestate: 'a=1',
      baggage: `user=${SECRET}`,
    }
    const { call, text } = await recordCall({ meta })
    expect(call).toMatchObject({
      agent: 'planner',
      conversation: 'c-1',
      trace: { traceparent: TRACE, tracestate: 'a=1' },
    })
    expect(text).not.toContain(SECRET)
    const open = await recordCall({ meta }, { redact: 'nothing' })
    expect(open.call).toMatchObject({ trace: { baggage: `user=${SECRET}` } })
  })

  it('is the client of the 2026 era, and the conversation that other hosts name', async () => {
    const meta = {
      'io.modelcontextprotocol/clientInfo': { name: 'desk', version: '2.0' },
      'openai/session': 's-9',
    }
    expect((await recordCall({ meta })).call).toMatchObject({ agent: 'desk@2.0', conversation: 's-9' })
  })

  it('is whoever was configured, before what _meta says', async () => {
    const pad = openPad()
    const tell = pad.records.connection({ slot: 's', agent: 'ours' })
    for (const event of goodCall(callOf({ meta: { 'dev.countersign/agent': 'theirs' } }))) tell(event)
    expect(await pad.written()).toMatchObject([{ agent: 'ours' }])
  })

  it.each([
    ['a parent of zeros', { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` }],
    ['version ff', { traceparent: TRACE.replace(/^00/, 'ff') }],
    ['no text', { traceparent: 7 }],
    ['a line break', { traceparent: `${TRACE}\n` }],
  ])('a trace with %s is left out', async (_, meta) => {
    expect((await recordCall({ meta: meta })).call).not.toHaveProperty('trace')
  })

  it('a state that is too long or unprintable is left out, the parent stays', async () => {
    for (const tracestate of ['a'.repeat(513), 'a=\u001b[2J']) {
      const { call } = await recordCall({ meta: { traceparent: TRACE, tracestate } })
      expect(call['trace']).toEqual({ traceparent: TRACE })
    }
  })
})

it('nothing a host or a server says breaks a line or hides in one', async () => {
  const hostile = `a\n{"v":1,"kind":"call"}\u001b[2J\u202e\u200b\ud800\u2028${'x'.repeat(5000)}`
  const { call, text } = await recordCall({
    name: hostile,
    meta: { 'dev.countersign/agent': hostile, 'dev.countersign/conversation': hostile },
  })
  expect(text.split('\n')).toHaveLength(3)

  expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u200b\u2028\u202e\ud800]/)
  expect(String(call['tool']).length).toBeLessThan(300)
})
