/** The load generator, in a process of its own: what it costs is not the server's. Prints one line of JSON. */
import { readFileSync } from 'node:fs'
import autocannon from 'autocannon'
import type { Job, Load } from './load.js'

const job = JSON.parse(String(process.argv[2])) as Job

const options = (): autocannon.Options => {
  const { url, connections } = job
  if ('seconds' in job) return { url, connections, duration: job.seconds }
  const envelopes = readFileSync(job.envelopes, 'utf8').trimEnd().split('\n')
  const { length: amount } = envelopes
  const headers = { authorization: `Bearer ${job.token}`, 'content-type': 'application/jose' }
  const each = amount / connections
  return {
    ...{ url, connections, amount },
    timeout: 60,
    // A run of an amount ends at the first sample after its last answer: at one a second, up to a second of nothing is
    // counted as work.
    sampleInt: 10,
    // Every connection has envelopes of its own, and sends each once.
    setupClient: (client) => {
      const own = envelopes.splice(0, each)
      client.setRequests(own.map((body) => ({ method: 'POST', path: '/v1/manifests', headers, body })))
    },
  }
}

const settled = options()
const before = process.cpuUsage()
const result = await autocannon(settled)
const { user, system } = process.cpuUsage(before)
const load: Load = {
  requests: result['2xx'],
  failed: result.non2xx + result.errors + result.timeouts,
  seconds: result.duration,
  p50: result.latency.p50,
  p99: result.latency.p99,
  cpuMicroseconds: user + system,
}
process.stdout.write(`${JSON.stringify(load)}\n`)
