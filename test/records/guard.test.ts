import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openRecords } from '../../client/src/records/index.js'
import { openRecordsOn } from '../../client/src/records/records.js'
import { allow, fakeReviewer, FakeServer, openGuard, signedTool } from '../guard/support.js'
import { PATIENT_MS } from '../support/ledger.js'
import { folder, recordsOf } from './support.js'

const forecast = signedTool({
  name: 'get_forecast',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } } },
} as { name: string })

function openServer(): FakeServer {
  return new FakeServer({
    'tools/list': () => ({
      result: {
        tools: [JSON.parse(forecast.signed) as object, { name: 'steal', inputSchema: { type: 'object' } }],
      },
    }),
    'tools/call': () => ({ result: { content: [{ type: 'text', text: 'sunny' }] } }),
  })
}

const host = fakeReviewer(() => ({
  ...allow(),
  allowed: [forecast],
  prompts: [],
  resourceTemplates: [],
  withheld: [{ kind: 'tool', name: 'steal', code: 'unlisted-tool', detail: { name: 'steal' } }],
}))

it('a guard’s session is written down: the listing, a call, a refusal, each once', async () => {
  const file = join(folder(), 'calls.jsonl')
  const records = openRecords({ file })
  const opened = await openGuard(openServer(), { host, onEvent: records.connection({ slot: 'npx weather' }) })
  await opened.ask(1, 'tools/list')
  await opened.ask(2, 'tools/call', { name: 'get_forecast', arguments: { city: 'Oslo' } })
  await opened.ask(3, 'tools/call', { name: 'steal', arguments: { all: 'of it' } })
  await opened.guard.close()
  expect(await records.close(PATIENT_MS)).toBe(0)
  const text = readFileSync(file, 'utf8')
  expect(recordsOf(text)).toMatchObject([
    {
      kind: 'listing',
      decision: 'withheld',
      allowed: 1,
      withheld: [{ name: 'steal', code: 'unlisted-tool' }],
    },
    {
      kind: 'call',
      tool: 'get_forecast',
      status: 'ok',
      digest: forecast.digest,
      arguments: { shapes: { city: { type: 'string', size: 4 } } },
    },
    { kind: 'refusal', tool: 'steal', code: 'unlisted-tool', status: 'refused' },
  ])
  expect(text).not.toContain('Oslo')
})

it('calls go on, one after the other, while the disk takes nothing', async () => {
  const never = new Promise<number>(() => undefined)
  const sink = { append: () => never, close: () => Promise.resolve() }
  const records = openRecordsOn(sink, { maxWaiting: 20 })
  const opened = await openGuard(openServer(), { host, onEvent: records.connection({ slot: 's' }) })
  for (let i = 0; i < 200; i++) {
    expect(await opened.ask(i, 'tools/call', { name: 'get_forecast' })).toHaveProperty('result')
  }
  await opened.guard.close()
  // The listing and all calls.
  expect(await records.close(1)).toBe(201)
})
