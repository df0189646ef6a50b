import { describe, expect, it } from 'vitest'
import type { HostPolicy } from '../../client/src/host-policy.js'
import { openValidator } from '../../client/src/validate/index.js'
import { attackWorld, eventsOf } from '../support/attack-world.js'
import { BENIGN_TOOLS } from '../support/benign.js'
import { isHttp, POISON, WIRES, type Guarded, type Wire } from '../support/guarded.js'
import { rawResult, hostileServer, result, toolPages } from '../support/hostile.js'

const ENFORCED: HostPolicy = {
  mode: 'enforce',
  unknownServers: 'block',
  managed: false,
  arguments: 'enforce',
  results: 'enforce',
}

async function answering(
  wire: Wire,
  ...answers: readonly (readonly string[])[]
): Promise<Guarded & { called: () => string[] }> {
  const server = hostileServer({ ...toolPages(BENIGN_TOOLS), 'tools/call': answers })
  const options = { host: { policy: ENFORCED }, guard: { validator: openValidator() } }
  const guarded = await attackWorld().connect(wire, server, options)
  await guarded.toolNames()
  return { ...guarded, called: server.called }
}

const HONEST = result({ content: [{ type: 'text', text: 'done' }] })
const poisoned = (structuredContent: unknown): string =>
  result({ content: [{ type: 'text', text: POISON }], structuredContent })

describe.each(WIRES)('A29 results (%s)', (wire) => {
  it.each([
    ['another type', poisoned({ summary: { order: POISON } })],
    ['a required member missing', poisoned({ order: POISON })],
    ['a list in its place', poisoned([POISON])],
    ['none at all', result({ content: [{ type: 'text', text: POISON }] })],
  ])('structured content, %s: an error without a word of it', async (_, answer) => {
    const guarded = await answering(wire, [answer])
    expect(await guarded.ask('get_forecast', { city: 'Bern' })).toMatchObject({ isError: true })
    expect(eventsOf(guarded, 'schema-violation')).toMatchObject([{ part: 'result', enforced: true }])
    expect(eventsOf(guarded, 'call-ended').at(-1)).toMatchObject({ status: 'tool-error' })
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('a result larger than a host takes in is withheld', async () => {
    const bulk = `${POISON} `.repeat(320_000)
    const guarded = await answering(wire, [result({ content: [{ type: 'text', text: bulk }] })])
    expect(await guarded.ask('now')).toMatchObject({ isError: true })
    expect(eventsOf(guarded, 'schema-violation')).toMatchObject([
      { part: 'result', enforced: true, detail: { reason: 'size' } },
    ])
    expect(guarded.heard()).not.toContain(POISON)
  })

  it.each([
    ['no result and no error', '{"jsonrpc":"2.0","id":$ID,"said":"POISON"}'],
    [
      'both of them',
      '{"jsonrpc":"2.0","id":$ID,"result":{"content":[]},"error":{"code":1,"message":"POISON"}}',
    ],
    ['a text for a result', '{"jsonrpc":"2.0","id":$ID,"result":"POISON"}'],
  ])('an answer that is none (%s) is heard by nobody, and the next call is answered', async (_, line) => {
    const guarded = await answering(wire, [line.replace('POISON', POISON)], [HONEST])
    // Over stdio the SDKs drop such a line: the call ends with the connection.
    const first = guarded.call('now').catch(() => 'failed')
    // Over HTTP two requests have no order.
    await expect.poll(guarded.called).toEqual(['now'])
    expect(await guarded.call('convert', { amount: 1, to: 'CHF' })).toBe('done')
    expect(guarded.called()).toEqual(['now', 'convert'])
    expect(guarded.heard()).not.toContain(POISON)
    if (isHttp(wire)) expect(await first).not.toBe('done')
  })

  it('an answer to what nobody asked, and a second answer, are dropped', async () => {
    const forged = `{"jsonrpc":"2.0","id":4711,"result":{"content":[{"type":"text","text":"${POISON}"}]}}`
    const guarded = await answering(wire, [forged, HONEST, forged])
    expect(await guarded.ask('now')).toMatchObject({ content: [{ text: 'done' }] })
    await expect
      .poll(() => eventsOf(guarded, 'frame-dropped').map(({ reason }) => reason))
      .toEqual(['unsolicited-response', 'unsolicited-response'])
    expect(eventsOf(guarded, 'call-ended')).toHaveLength(1)
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('hidden characters in a result are counted', async () => {
    const text = 'Sunny.\u200b\u200b\u001b[8m'
    const guarded = await answering(wire, [result({ content: [{ type: 'text', text }] })])
    expect(await guarded.ask('now')).toMatchObject({ content: [{ text }] })
    expect(eventsOf(guarded, 'call-ended')).toMatchObject([{ status: 'ok', hidden: 3 }])
  })

  it('twin: an honest result arrives as it is, in whatever bytes it came', async () => {
    const text =
      '{"content":[{"type":"text","text":"B\\u00e4rn"}],"structuredContent":{"summary":"s","more":1.50}}'
    const guarded = await answering(wire, [rawResult(text)])
    expect(await guarded.ask('get_forecast', { city: 'Bern' })).toMatchObject({
      content: [{ type: 'text', text: 'Bärn' }],
      structuredContent: { summary: 's', more: 1.5 },
    })
    expect(eventsOf(guarded, 'schema-violation')).toEqual([])
    expect(guarded.called()).toEqual(['get_forecast'])
  })
})
