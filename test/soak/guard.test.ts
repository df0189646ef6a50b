import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { JsonObject } from 'countersign/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Peer } from '../guard-real/peer.js'
import { openSignedPlaces, type Place, type SignedPlaces } from '../guard-real/signed.js'
import { program } from '../support/programs.js'

// A guard in daily use for long: one host that calls and calls, a server whose lists change in storms, and hosts that come
// and go, politely or not.

const CALLS = Number(process.env['SOAK_CALLS'] ?? 100_000)
const RECONNECTS = Number(process.env['SOAK_RECONNECTS'] ?? 100)
const LANES = 32
/** One of so many calls is a storm of so many notifications. */
const STORM_EVERY = 500
const STORM_SIZE = 200
const SAMPLES = 40

const SERVER = 'com.example/echo'
/** Stands in the command line of every server that is started here. */
const MARK = `soak-${process.pid}`
const ECHO = program('../guard-real/echo-server.ts', MARK)

let places: SignedPlaces
let place: Place

beforeAll(async () => {
  places = await openSignedPlaces()
  place = places.place('soak', { host: 'soak.example' })
  const peer = new Peer({ command: ECHO, env: place.env })
  await peer.greet()
  const { result } = await peer.request('tools/list')
  await peer.close()
  const { tools } = result as { tools: JsonObject[] }
  await places.publish({
    server: SERVER,
    tools: tools.map((definition) => ({ definition, permissions: [] })),
  })
})
afterAll(() => places.close())

/** With its records, as people run it. */
async function connect(): Promise<Peer> {
  const records = ['--events', `${place.folder}/records.jsonl`]
  const peer = new Peer({ ...places.guardLaunch(SERVER, ECHO, place, ...records), forgetful: true })
  await peer.greet()
  await peer.request('tools/list')
  return peer
}

/** Of the whole process, as the system counts it. */
function residentMiB(pid: number): number {
  const pages = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(pages?.[1]) / 1024
}

/** Servers of this test that live. */
function serversAlive(): number {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isOurs(name)).length
}

function isOurs(pid: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return words.includes(MARK) && !words.includes('guard')
  } catch {
    return false
  }
}

interface Tally {
  answered: number
  readonly wrong: string[]
  readonly samples: number[]
}

async function callFor(peer: Peer, tally: Tally): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let n = next++; n < CALLS; n = next++) {
      await callOnce(peer, n, tally)
      if (n % Math.ceil(CALLS / SAMPLES) === 0) tally.samples.push(residentMiB(peer.pid))
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

async function callOnce(peer: Peer, n: number, tally: Tally): Promise<void> {
  const text = `call ${n}`
  const isStorm = n % STORM_EVERY === STORM_EVERY - 1
  const name = isStorm ? 'storm' : 'echo'
  const answer = await peer.request('tools/call', { name, arguments: { text, n: STORM_SIZE } })
  tally.answered++
  const { content } = (answer['result'] ?? {}) as { content?: readonly { text?: string }[] }
  if (content?.[0]?.text !== text) tally.wrong.push(JSON.stringify(answer).slice(0, 200))
  if (isStorm) await peer.request('tools/list')
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

describe.skipIf(!existsSync('/proc/self/status'))('the guard as a process, for long', () => {
  it(`answers ${CALLS} calls through storms of changes, each its own, in memory that stays flat`, async () => {
    const peer = await connect()
    const tally: Tally = { answered: 0, wrong: [], samples: [] }
    await callFor(peer, tally)
    expect(tally.wrong).toEqual([])
    expect(tally.answered).toBe(CALLS)
    const third = Math.floor(tally.samples.length / 3)
    const [middle, last] = [tally.samples.slice(third, -third), tally.samples.slice(-third)].map(meanOf)
    console.log(`resident: ${tally.samples.map((one) => one.toFixed(0)).join(' ')} MiB`)
    expect(last).toBeLessThan((middle ?? 0) * 1.15 + 8)
    expect(await peer.close()).toBe(0)
    await expect.poll(serversAlive, { timeout: 30_000 }).toBe(0)
  })

  it(`leaves no process behind ${RECONNECTS} connections, however they end`, async () => {
    for (let n = 0; n < RECONNECTS; n++) {
      const peer = await connect()
      const answer = await peer.request('tools/call', { name: 'echo', arguments: { text: `host ${n}` } })
      expect(answer).toMatchObject({ result: { content: [{ text: `host ${n}` }] } })
      await part(peer, n)
    }
    await expect.poll(serversAlive, { timeout: 30_000 }).toBe(0)
  })
})

/** Hosts end a guard by closing its stdin; some kill it, and in the middle of a call at that. */
async function part(peer: Peer, n: number): Promise<void> {
  if (n % 4 === 3) {
    const left = peer.request('tools/call', { name: 'storm', arguments: { text: 'left', n: STORM_SIZE } })
    peer.kill(n % 8 === 7 ? 'SIGKILL' : 'SIGTERM')
    // Answered or not: nobody waits for it any more.
    await Promise.allSettled([left, peer.ended])
  } else {
    expect(await peer.close()).toBe(0)
  }
}
