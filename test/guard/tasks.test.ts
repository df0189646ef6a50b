import { describe, expect, it } from 'vitest'
import { openValidator } from '../../client/src/validate/index.js'
import {
  allow,
  eventsOf,
  fakeReviewer,
  FakeServer,
  MODERN,
  openGuard,
  policyReviewer,
  signedTool,
  type Opened,
} from './support.js'

const job = signedTool({
  name: 'job',
  outputSchema: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] },
} as { name: string })

interface Setup extends Opened {
  readonly server: FakeServer
  /** What the tasks of this server answer with. */
  readonly says: { result: object }
  readonly offers: { tools: (typeof job)[] }
}

/** A server whose tool always gives the task `t1`, in the words of one era. */
async function open(era: 'legacy' | 'modern'): Promise<Setup> {
  const says = { result: {} as object }
  const offers = { tools: [job] }
  const handle = { taskId: 't1', status: 'working' }
  const server = new FakeServer({
    'tools/list': () => ({ result: { tools: [{ name: 'job' }] } }),
    'tools/call': () => ({ result: era === 'legacy' ? { task: handle } : { resultType: 'task', ...handle } }),
    ...Object.fromEntries(
      ['tasks/get', 'tasks/result', 'tasks/update', 'tasks/cancel', 'tasks/list'].map((m) => [
        m,
        () => ({ result: says.result }),
      ]),
    ),
  })
  const host = policyReviewer({ results: 'enforce' }, () => ({ allowed: offers.tools }))
  return { server, says, offers, ...(await openGuard(server, { host, validator: openValidator() })) }
}

const STATUS = { taskId: 't1', status: 'working' }

describe('a task', () => {
  it('of an allowed call may be asked for, updated and ended', async () => {
    const { ask, says, heard } = await open('legacy')
    await ask(1, 'tools/call', { name: 'job', task: { ttl: 1000 } })
    expect(eventsOf(heard, 'schema-violation')).toEqual([])
    says.result = STATUS
    let id = 1
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel'])
      expect(await ask(++id, method, { taskId: 't1' })).toMatchObject({ result: STATUS })
  })

  it('of no call that went through is unknown, whatever its id', async () => {
    const { ask, server, heard } = await open('legacy')
    let id = 0
    for (const taskId of ['t1', 't2\u200b', '', 7, undefined, '__proto__'])
      for (const method of ['tasks/get', 'tasks/result', 'tasks/update', 'tasks/cancel'])
        expect(await ask(++id, method, { taskId })).toMatchObject({ error: { code: -32602 } })
    expect(server.received.filter(({ method }) => method?.startsWith('tasks/'))).toEqual([])
    expect(eventsOf(heard, 'request-refused').every(({ code }) => code === 'not-listed')).toBe(true)
  })

  it('gives its result by the signed schema', async () => {
    const { ask, says, heard } = await open('legacy')
    await ask(1, 'tools/call', { name: 'job', task: {} })
    says.result = { content: [{ type: 'text', text: 'EVIL' }], structuredContent: { n: 'EVIL' } }
    const { result } = await ask(2, 'tasks/result', { taskId: 't1' })
    expect(result).toMatchObject({ isError: true })
    expect(JSON.stringify(result)).not.toContain('EVIL')
    expect(eventsOf(heard, 'schema-violation')[0]?.call).toBe(eventsOf(heard, 'call-begun')[0]?.call)
    says.result = { content: [], structuredContent: { n: 1 } }
    expect(await ask(3, 'tasks/result', { taskId: 't1' })).toMatchObject({ result: says.result })
  })

  it('of the 2026 era carries its result inside its status, judged the same', async () => {
    const { ask, says } = await open('modern')
    const get = { taskId: 't1', ...MODERN }
    await ask(1, 'tools/call', { name: 'job', ...MODERN })
    const completed = (structuredContent: object): object => ({
      resultType: 'complete',
      ...STATUS,
      status: 'completed',
      result: { content: [], structuredContent },
    })
    says.result = completed({ n: 'EVIL' })
    const bad = await ask(2, 'tasks/get', get)
    expect(bad).toMatchObject({ error: { code: -32603, data: { code: 'schema-violation' } } })
    expect(JSON.stringify(bad)).not.toContain('EVIL')
    says.result = completed({ n: 1 })
    expect(await ask(3, 'tasks/get', get)).toMatchObject({ result: says.result })
  })

  it('that asks the host’s model does so without unsigned tools', async () => {
    const { ask, says, heard } = await open('modern')
    await ask(1, 'tools/call', { name: 'job', ...MODERN })
    const asks = (params: object): object => ({ a: { method: 'sampling/createMessage', params } })
    says.result = {
      ...STATUS,
      status: 'input_required',
      inputRequests: asks({ messages: [], tools: [{ name: 'evil' }] }),
    }
    expect((await ask(2, 'tasks/get', { taskId: 't1', ...MODERN }))['result']).toEqual({
      ...says.result,
      inputRequests: asks({ messages: [] }),
    })
    expect(eventsOf(heard, 'sampling-tools-removed')).toHaveLength(1)
  })

  it('of a tool that was taken back gives nothing any more, and can be ended', async () => {
    const { ask, says, offers, server } = await open('legacy')
    await ask(1, 'tools/call', { name: 'job', task: {} })
    offers.tools = []
    server.say({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
    says.result = STATUS
    expect(await ask(2, 'tasks/result', { taskId: 't1' })).toMatchObject({ error: { code: -32602 } })
    expect(await ask(3, 'tasks/cancel', { taskId: 't1' })).toMatchObject({ result: STATUS })
  })

  it('is listed only to who began it', async () => {
    const { ask, says } = await open('legacy')
    await ask(1, 'tools/call', { name: 'job', task: {} })
    says.result = { tasks: [STATUS, { taskId: 'other', statusMessage: 'EVIL' }, 'EVIL'], nextCursor: 'c' }
    expect((await ask(2, 'tasks/list'))['result']).toEqual({ tasks: [STATUS], nextCursor: 'c' })
  })

  it('stays with the tool of the call that began it', async () => {
    const { ask, says, offers } = await open('legacy')
    offers.tools = [job, signedTool({ name: 'free' })]
    await ask(1, 'tools/call', { name: 'job', task: {} })
    await ask(2, 'tools/call', { name: 'free' })
    says.result = { content: [], structuredContent: { n: 'EVIL' } }
    expect(await ask(3, 'tasks/result', { taskId: 't1' })).toMatchObject({ result: { isError: true } })
  })

  it('that nobody knows goes on in observe', async () => {
    const server = new FakeServer({
      'tools/list': () => ({ result: { tools: [] } }),
      'tasks/get': () => ({ result: STATUS }),
    })
    const host = fakeReviewer(() => ({ ...allow(), mode: 'observe' }))
    const { ask } = await openGuard(server, { host: { ...host, policy: { mode: 'observe' } } })
    expect(await ask(1, 'tasks/get', { taskId: 'x' })).toMatchObject({ result: STATUS })
  })
})
