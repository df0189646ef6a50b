import { describe, expect, it } from 'vitest'
import { openValidator } from '../../client/src/validate/index.js'
import { allow, FakeServer, fakeReviewer, openGuard, policyReviewer, signedTool } from './support.js'

const measured = signedTool({
  name: 'measured',
  outputSchema: { type: 'object', properties: { degrees: { type: 'number' } }, required: ['degrees'] },
} as { name: string })

describe('a result that calls itself something else', () => {
  it.each([['task'], ['resultType']])(
    'by its %s is held against the signed schema all the same',
    async (by) => {
      const marks: Record<string, object> = { task: { task: {} }, resultType: { resultType: 'task' } }
      const serve = (degrees: unknown): Promise<unknown> => {
        const server = new FakeServer({
          'tools/list': () => ({ result: { tools: [{ name: 'measured' }] } }),
          'tools/call': () => ({ result: { content: [], structuredContent: { degrees }, ...marks[by] } }),
        })
        const host = policyReviewer({ results: 'enforce' }, () => ({ allowed: [measured] }))
        return openGuard(server, { host, validator: openValidator() }).then(({ ask }) =>
          ask(1, 'tools/call', { name: 'measured' }),
        )
      }
      const bad = await serve('EVIL')
      expect(bad).toMatchObject({ result: { isError: true } })
      expect(JSON.stringify(bad)).not.toContain('EVIL')
      expect(await serve(7)).toMatchObject({ result: { structuredContent: { degrees: 7 } } })
    },
  )
})

describe('an id that is given up and used again while a verdict is awaited', () => {
  it('sends the second call alone', async () => {
    let verify = (): void => undefined
    const verdict = new Promise<void>((resolve) => (verify = resolve))
    const server = new FakeServer({
      'tools/list': () => ({ result: { tools: [{ name: 'good' }] } }),
      'tools/call': () => ({ result: { content: [] } }),
    })
    const reviewer = fakeReviewer(() => allow('good'))
    const host = { ...reviewer, review: (input: never) => verdict.then(() => reviewer.review(input)) }
    const { guard, heard } = await openGuard(server, { host })
    const call = (n: number): object => {
      return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'good', arguments: { n } } }
    }
    const first = guard.send(call(1))
    await guard.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
    const second = guard.send(call(2))
    verify()
    await Promise.all([first, second, heard.answer(1)])
    expect(server.asked('tools/call').map(({ params }) => params?.['arguments'])).toEqual([{ n: 2 }])
  })
})

describe('what is no answer', () => {
  it('ends no request by an id in a log line, and does by one in a malformed answer', async () => {
    const server = new FakeServer()
    const { guard, heard } = await openGuard(server)
    await guard.send({ jsonrpc: '2.0', id: 1, method: 'ping' })
    await guard.send({ jsonrpc: '2.0', id: 2, method: 'ping' })
    server.say({ level: 30, id: 1, msg: 'served' })
    server.say({ id: 2, result: {} })
    server.say({ jsonrpc: '2.0', id: 1, result: {} })
    expect(await heard.answer(1)).toMatchObject({ result: {} })
    expect(await heard.answer(2)).toMatchObject({ error: { code: -32603 } })
  })

  it('nests names of the server deeper than the stack: the handshake is answered', async () => {
    const depth = 200_000
    const nested = `${'{"name":"n","arguments":['.repeat(depth)}${']}'.repeat(depth)}`
    const serverInfo: unknown = JSON.parse(nested)
    const server = new FakeServer()
    const { guard, heard } = await openGuard(server)
    await guard.send({ jsonrpc: '2.0', id: 1, method: 'initialize', params: {} })
    server.say({ jsonrpc: '2.0', id: 1, result: { capabilities: {}, serverInfo } })
    expect((await heard.answer(1)).id).toBe(1)
  })
})
