import { describe, expect, it } from 'vitest'
import type { GuardOptions, GuardPolicy, SchemaValidator } from '../../client/src/guard/index.js'
import { openValidator } from '../../client/src/validate/index.js'
import {
  eventsOf,
  FakeServer,
  MODERN,
  openGuard,
  policyReviewer,
  signedTool,
  type Opened,
} from './support.js'

const weather = signedTool({
  name: 'weather',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  outputSchema: { type: 'object', properties: { degrees: { type: 'number' } }, required: ['degrees'] },
} as { name: string })

interface Setup extends Opened {
  readonly server: FakeServer
}

async function open(
  policy: Partial<GuardPolicy>,
  result: object,
  more: Partial<GuardOptions> = {},
): Promise<Setup> {
  const server = new FakeServer({
    'tools/list': () => ({ result: { tools: [{ name: 'weather' }] } }),
    'tools/call': () => ({ result }),
  })
  const host = policyReviewer(policy, () => ({ allowed: [weather] }))
  return { server, ...(await openGuard(server, { host, validator: openValidator(), ...more })) }
}

const GOOD = { content: [], structuredContent: { degrees: 7 } }
const BAD = { content: [{ type: 'text', text: 'EVIL' }], structuredContent: { degrees: 'EVIL' } }
const call = (args: object): object => ({ name: 'weather', arguments: args })

describe('arguments against the signed inputSchema', () => {
  it('go on and are told by default', async () => {
    const { ask, heard, server } = await open({}, GOOD)
    expect(await ask(1, 'tools/call', call({ town: 'x' }))).toMatchObject({ result: GOOD })
    expect(server.asked('tools/call')).toHaveLength(1)
    expect(eventsOf(heard, 'schema-violation')).toMatchObject([
      {
        part: 'arguments',
        enforced: false,
        detail: { name: 'weather', faults: ['/city: required (#/required)'] },
      },
    ])
  })

  it('are refused with the fault named where policy enforces, and good ones pass', async () => {
    const { ask, heard, server } = await open({ arguments: 'enforce' }, GOOD)
    expect(await ask(1, 'tools/call', call({}))).toMatchObject({
      error: { code: -32602, data: { code: 'schema-violation', faults: ['/city: required (#/required)'] } },
    })
    expect(await ask(2, 'tools/call', { name: 'weather' })).toMatchObject({ error: { code: -32602 } })
    expect(server.asked('tools/call')).toEqual([])
    expect(await ask(3, 'tools/call', call({ city: 'x' }))).toMatchObject({ result: GOOD })
    expect(eventsOf(heard, 'call-refused').map(({ code }) => code)).toEqual([
      'schema-violation',
      'schema-violation',
    ])
    expect(eventsOf(heard, 'call-ended').map(({ status }) => status)).toEqual(['refused', 'refused', 'ok'])
  })

  it('are refused as a result where refusals explain', async () => {
    const { ask } = await open({ arguments: 'enforce', refusals: 'explain' }, GOOD)
    const { result } = await ask(1, 'tools/call', { ...call({}), ...MODERN })
    expect(result).toMatchObject({ isError: true, resultType: 'complete' })
    expect(JSON.stringify(result)).toContain('/city: required')
  })

  it('are not looked at where policy says so, nor without a validator', async () => {
    const counting = { calls: 0 }
    const validator: SchemaValidator = { check: () => (counting.calls++, { status: 'valid' }) }
    const off = await open({ arguments: 'off', results: 'off' }, BAD, { validator })
    expect(await off.ask(1, 'tools/call', call({}))).toMatchObject({ result: BAD })
    expect(counting.calls).toBe(0)
  })

  it('are never refused in observe', async () => {
    const { ask, heard } = await open({ mode: 'observe', arguments: 'enforce' }, GOOD)
    expect(await ask(1, 'tools/call', call({}))).toMatchObject({ result: GOOD })
    expect(eventsOf(heard, 'schema-violation')).toMatchObject([{ enforced: false }])
  })
})

describe('results against the signed outputSchema', () => {
  it('go on and are told by default', async () => {
    const { ask, heard } = await open({}, BAD)
    expect(await ask(1, 'tools/call', call({ city: 'x' }))).toMatchObject({ result: BAD })
    expect(eventsOf(heard, 'schema-violation')).toMatchObject([
      { part: 'result', enforced: false, detail: { faults: ['/degrees: type (#/properties/degrees/type)'] } },
    ])
  })

  it('are replaced by an error without a word of theirs where policy enforces, and good ones pass', async () => {
    const bad = await open({ results: 'enforce' }, BAD)
    const { result } = await bad.ask(1, 'tools/call', call({ city: 'x' }))
    expect(result).toMatchObject({ isError: true })
    expect(JSON.stringify(result)).not.toContain('EVIL')
    expect(eventsOf(bad.heard, 'call-ended').map(({ status }) => status)).toEqual(['tool-error'])
    const good = await open({ results: 'enforce' }, GOOD)
    expect(await good.ask(1, 'tools/call', call({ city: 'x' }))).toMatchObject({ result: GOOD })
    expect(eventsOf(good.heard, 'schema-violation')).toEqual([])
  })

  it('must be there, unless the result is an error or not the last one', async () => {
    const without = await open({ results: 'enforce' }, { content: [] })
    expect(await without.ask(1, 'tools/call', call({ city: 'x' }))).toMatchObject({
      result: { isError: true },
    })
    for (const [fine, more] of [
      [{ content: [], isError: true }, {}],
      [{ resultType: 'input_required', requestState: 's' }, MODERN],
      [{ resultType: 'task', taskId: 't' }, MODERN],
      [{ task: { taskId: 't' } }, { task: {} }],
    ]) {
      const { ask, heard } = await open({ results: 'enforce' }, fine as object)
      const asked = { ...call({ city: 'x' }), ...more }
      expect(await ask(1, 'tools/call', asked)).toMatchObject({ result: fine })
      expect(eventsOf(heard, 'schema-violation')).toEqual([])
    }
  })

  it.each([
    ['a type of the other era', { resultType: 'input_required' }, {}],
    ['a task that nobody asked for', { task: { taskId: 't' } }, {}],
    ['a task that is none', { task: 'EVIL' }, { task: {} }],
    ['a task of the other era', { task: { taskId: 't' } }, MODERN],
  ])('must be there whatever else is: %s', async (_, result, more) => {
    const evil = { content: [{ type: 'text', text: 'EVIL' }], ...result }
    const { ask } = await open({ results: 'enforce' }, evil)
    const answer = await ask(1, 'tools/call', { ...call({ city: 'x' }), ...more })
    expect(answer).toMatchObject({ result: { isError: true } })
    expect(JSON.stringify(answer)).not.toContain('EVIL')
  })
})

describe('a signed schema that cannot be checked', () => {
  it('is told once and refuses nothing', async () => {
    const validator: SchemaValidator = { check: () => ({ status: 'unchecked', reason: 'pattern' }) }
    const { ask, heard } = await open({ arguments: 'enforce', results: 'enforce' }, GOOD, { validator })
    for (const id of [1, 2]) expect(await ask(id, 'tools/call', call({}))).toMatchObject({ result: GOOD })
    expect(eventsOf(heard, 'schema-unchecked')).toEqual([
      { type: 'schema-unchecked', tool: 'weather', part: 'arguments', reason: 'pattern' },
      { type: 'schema-unchecked', tool: 'weather', part: 'result', reason: 'pattern' },
    ])
  })
})

describe('scopes of the token', () => {
  const manifest = {
    digest: `sha256:${'1'.repeat(64)}`,
    manifest: {
      tools: [
        {
          definition: { name: 'weather' },
          permissions: [
            { scope: 'weather:read', reason: 'r', required: true },
            { scope: 'weather:extra', reason: 'r', required: false },
          ],
        },
      ],
    },
  }

  async function withToken(policy: Partial<GuardPolicy>, ...scopes: (string | undefined)[]): Promise<Setup> {
    const host = policyReviewer(policy, () => ({ allowed: [weather], manifest: manifest as never }))
    const granted = scopes[0] === undefined ? undefined : new Set(scopes as string[])
    return open(policy, GOOD, { host, token: { scopes: async () => granted } })
  }

  it('that lack one are refused with the scope named where policy enforces', async () => {
    const { ask, heard, server } = await withToken({ scopes: 'enforce' }, 'other')
    expect(await ask(1, 'tools/call', call({ city: 'x' }))).toMatchObject({
      error: { code: -31990, data: { code: 'scope-missing', scope: 'weather:read' } },
    })
    expect(server.asked('tools/call')).toEqual([])
    expect(eventsOf(heard, 'call-refused')).toMatchObject([
      { code: 'scope-missing', detail: { scope: 'weather:read', scopes: ['weather:read'] } },
    ])
  })

  it('that lack one are told by default, and those that have it pass in silence', async () => {
    const lacking = await withToken({}, 'other')
    expect(await lacking.ask(1, 'tools/call', call({ city: 'x' }))).toMatchObject({ result: GOOD })
    expect(eventsOf(lacking.heard, 'scope-missing')).toMatchObject([{ detail: { scope: 'weather:read' } }])
    const having = await withToken({ scopes: 'enforce' }, 'weather:read')
    expect(await having.ask(1, 'tools/call', call({ city: 'x' }))).toMatchObject({ result: GOOD })
    expect(eventsOf(having.heard, 'scope-missing')).toEqual([])
  })

  it('that nobody knows are told once, and the server decides', async () => {
    const { ask, heard } = await withToken({ scopes: 'enforce' }, undefined)
    for (const id of [1, 2])
      expect(await ask(id, 'tools/call', call({ city: 'x' }))).toMatchObject({ result: GOOD })
    expect(eventsOf(heard, 'scope-missing')).toMatchObject([{ detail: { reason: 'unknown' } }])
  })
})
