import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rowOf, type Row } from '../measure.js'
import { runLoad, type Measured } from './load.js'
import { largeEnvelope, SERVERS } from './manifests.js'
import { middle } from './reads.js'
import type { Stage } from './stage.js'

const IN_FLIGHT = 64
const WARM_UP = 256
const ROUNDS = 3
const EACH = 1024
const RATE = 300
const P99_MS = 400

/** Serials of versions that were sent; the stage has sent the first ones. */
let sent = SERVERS

/** Publishes of new versions, 64 at a time, shared among the processes of one registry. */
async function loadPublishes(
  folder: string,
  stage: Stage,
  urls: readonly string[],
  pids: readonly number[],
  amount: number,
): Promise<Measured> {
  const token = await stage.token()
  const share = amount / urls.length
  const jobs = urls.map((url, i) => {
    const envelopes = join(folder, `envelopes-${i}`)
    const lines = Array.from({ length: share }, () => largeEnvelope(stage.identity, sent++, stage.key))
    writeFileSync(envelopes, `${lines.join('\n')}\n`)
    return { url, connections: IN_FLIGHT / urls.length, envelopes, token }
  })
  const loads = await Promise.all(jobs.map((job) => runLoad(job, pids)))
  const seconds = Math.max(...loads.map((load) => load.seconds))
  const requests = loads.reduce((all, load) => all + load.requests, 0)
  const [first] = loads
  if (first === undefined || requests !== amount) throw new Error('not everything was published')
  return {
    ...first,
    requests,
    seconds,
    rate: requests / seconds,
    p50: Math.max(...loads.map(({ p50 }) => p50)),
    p99: Math.max(...loads.map(({ p99 }) => p99)),
  }
}

export interface Publishing {
  readonly rate: number
  readonly p50: number
  readonly p99: number
}

export async function measurePublishes(
  folder: string,
  stage: Stage,
  urls: readonly string[],
  pids: readonly number[],
): Promise<Publishing> {
  await loadPublishes(folder, stage, urls, pids, WARM_UP)
  const rounds: Measured[] = []
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push(await loadPublishes(folder, stage, urls, pids, EACH))
  }
  return { rate: middle(rounds, 'rate'), p50: middle(rounds, 'p50'), p99: middle(rounds, 'p99') }
}

/** Without a target, for information: a database that several processes share is a choice of the operator's. */
export function publishRows(row: string, { rate, p50, p99 }: Publishing, isTarget: boolean): Row[] {
  const bench = 'registry'
  const target = isTarget ? { target: 1 } : {}
  return [
    rowOf({ bench, row, unit: '/s', ...target, atLeast: true }, { value: rate, against: RATE }),
    rowOf({ bench, row: `${row}-p50`, unit: 'ms' }, { value: p50, against: P99_MS }),
    rowOf({ bench, row: `${row}-p99`, unit: 'ms', ...target }, { value: p99, against: P99_MS }),
  ]
}
