import fc from 'fast-check'
import { Counter, Histogram, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { openAnswers, type Counted } from '../../src/http/metrics/answers.js'

const BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** The same by the library's own metrics, one observation at a time. */
function observed(answers: readonly Counted[]): Promise<string> {
  const registry = new Registry()
  const registers = [registry]
  const requests = new Counter({
    name: 'countersign_http_requests_total',
    help: 'Requests answered, by route, method and class of status.',
    labelNames: ['route', 'method', 'status'],
    registers,
  })
  const durations = new Histogram({
    name: 'countersign_http_request_duration_seconds',
    help: 'From the headers of a request to the end of its answer, by route and method.',
    labelNames: ['route', 'method'],
    buckets: BUCKETS,
    registers,
  })
  for (const { route, method, status, seconds } of answers) {
    requests.inc({ route, method, status: `${Math.floor(status / 100)}xx` })
    if (route !== '/v1/events') durations.observe({ route, method }, seconds)
  }
  return registry.metrics()
}

const linesOf = (text: string): string[] => text.split('\n').sort()

const answers = fc.array(
  fc.record({
    route: fc.constantFrom('/v1/status', '/v1/bundles/:digest', '/v1/events', 'other'),
    method: fc.constantFrom('GET', 'HEAD', 'POST'),
    status: fc.constantFrom(101, 200, 204, 304, 404, 429, 503),
    seconds: fc.oneof(fc.constantFrom(0, ...BUCKETS), fc.double({ min: 0, max: 20, noNaN: true })),
  }),
  { maxLength: 40 },
)

describe('answers that were counted', () => {
  it('are told as if each had been observed by itself, however often they are asked for', async () => {
    await fc.assert(
      fc.asyncProperty(answers, answers, async (first, second) => {
        const registry = new Registry()
        const count = openAnswers(registry)
        first.forEach(count)
        expect(linesOf(await registry.metrics())).toEqual(linesOf(await observed(first)))
        second.forEach(count)
        const expected = linesOf(await observed([...first, ...second]))
        expect(linesOf(await registry.metrics())).toEqual(expected)
        expect(linesOf(await Registry.merge([registry]).metrics())).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })

  it('have methods that HTTP has', async () => {
    const registry = new Registry()
    openAnswers(registry)({ route: 'other', method: 'BREW', status: 404, seconds: 1 })
    const text = await registry.metrics()
    expect(text).toContain('countersign_http_requests_total{route="other",method="other",status="4xx"} 1')
    expect(text).not.toContain('BREW')
  })
})
