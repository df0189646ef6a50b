import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rawGet } from '../../support/raw-get.js'
import { rowOf, type Row } from '../measure.js'
import { runLoad, startBare, type Measured } from './load.js'
import type { Stage } from './stage.js'

const CONNECTIONS = 32
const ROUNDS = 5
const SECONDS = 2
/** Of the requests a second that a server answers which does nothing else. */
const TARGET = 0.7

/** What hosts fetch, against the same bytes from a bare server: the two take turns. */
export async function benchReads(folder: string, stage: Stage, say: (line: string) => void): Promise<Row[]> {
  const size = Number((await rawGet(stage.victim.url, '/log/checkpoint')).bytes.toString().split('\n')[1])
  const rows: Row[] = []
  for (const [row, path] of [
    ['get-bundle', `/v1/bundles/${stage.digests[0] ?? ''}`],
    ['get-tile', `/log/tile/0/000.p/${Math.min(size, 255)}`],
    ['get-status', '/v1/status'],
  ] as const) {
    rows.push(await benchRead(join(folder, row), row, stage, path, say))
  }
  return rows
}

async function benchRead(
  file: string,
  row: string,
  { victim }: Stage,
  path: string,
  say: (line: string) => void,
): Promise<Row> {
  const { status, bytes } = await rawGet(victim.url, path)
  if (status !== 200) throw new Error(`${path} is ${status}`)
  writeFileSync(file, bytes)
  const bare = await startBare(file)
  try {
    const pid = victim.child.pid ?? 0
    const load = (url: string, of: number, seconds = SECONDS) =>
      runLoad({ url: url + path, connections: CONNECTIONS, seconds }, [of])
    await load(victim.url, pid, 1)
    await load(bare.url, bare.pid, 1)
    const [ours, theirs]: [Measured[], Measured[]] = [[], []]
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(await load(victim.url, pid))
      theirs.push(await load(bare.url, bare.pid))
    }
    say(`${row}, ${bytes.length} bytes, a request: ${cost('registry', ours)}; ${cost('bare', theirs)}`)
    const [value, against] = [middle(ours, 'rate'), middle(theirs, 'rate')]
    return rowOf({ bench: 'registry', row, unit: '/s', target: TARGET, atLeast: true }, { value, against })
  } finally {
    await bare.stop()
  }
}

/** Where the generator is the slower one, requests a second say little of the server: what each used says it. */
function cost(who: string, loads: readonly Measured[]): string {
  const generator = loads.map((load) => ({ ...load, own: load.cpuMicroseconds / load.requests }))
  const own = middle(generator, 'own').toFixed(1)
  return `${who} ${middle(loads, 'serverMicroseconds').toFixed(1)} us, its generator ${own} us`
}

export function middle<K extends string>(all: readonly Record<K, number>[], name: K): number {
  const values = all.map((one) => one[name]).sort((a, b) => a - b)
  return values[Math.floor(values.length / 2)] ?? Number.NaN
}
