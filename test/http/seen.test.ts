import { afterEach, beforeEach, expect, it } from 'vitest'
import { send, startRegistry, type Reply, type TestRegistry } from '../support/registry.js'

const POINTS = 3

let at: TestRegistry
beforeEach(async () => {
  const limits = { seen: { points: POINTS, seconds: 600 }, proofs: { points: 1, seconds: 600 } }
  at = await startRegistry({ overrides: { limits } })
})
afterEach(() => at.close())

const report = (note: string, headers: Record<string, string> = {}): Promise<Reply> =>
  send(at.url, 'POST', '/v1/log/seen', { body: note, headers: { 'content-type': 'text/plain', ...headers } })

it('reports of what was seen are counted by address, whoever sends them, and nothing else with them', async () => {
  const note = at.registry.ledger.publishedNote()
  const authorization = `Bearer ${await at.admin.token('registry:admin')}`
  const statuses: number[] = []
  for (const headers of [{}, { authorization }, {}, { authorization }, {}]) {
    statuses.push((await report(note, headers)).status)
  }
  expect(statuses).toEqual([202, 202, 202, 429, 429])
  expect((await report('nonsense')).headers.get('retry-after')).not.toBeNull()
  expect((await send(at.url, 'GET', '/v1/status')).status).toBe(200)
})
