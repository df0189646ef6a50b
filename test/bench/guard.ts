import { Client } from '@modelcontextprotocol/client'
import { guardTransport, memoryInProcess, openHost } from 'countersign'
import { openValidator } from 'countersign/validate'
import type { JsonObject } from 'countersign/core'
import { Peer, type Launch } from '../guard-real/peer.js'
import { openSignedPlaces, type SignedPlaces } from '../guard-real/signed.js'
import { program } from '../support/programs.js'
import { BLOCK, openWorld } from '../support/world.js'
import { medianOf, rowOf, type Row } from './measure.js'

const SERVER = 'com.example/echo'
const ADDED_IN_PROCESS_MS = 0.03
const ADDED_BY_PROCESS_MS = 0.1
const CALLS_PER_SECOND = 10_000
const ROUNDS = 60
const CALLS_A_ROUND = 250
const WARMUP_ROUNDS = 12
const LANES = 64
const BURST = 40_000

const ECHO = program('../guard-real/echo-server.ts')
const COPY = program('../bench/guard/copy.ts', ...ECHO)
const PARAMS = {
  name: 'echo',
  arguments: { text: 'What is the weather like in the north of the island today?' },
}

/** What a guard adds to each call: in the process of the host, as a process of its own, and how many go through it. */
export async function benchGuard(): Promise<Row[]> {
  return [await benchInProcess(), ...(await benchProcess())]
}

type Caller = () => Promise<unknown>

/** Medians in ms of one call each; the callers take turns in rounds, and the first rounds are thrown away. */
async function latencies(callers: readonly Caller[]): Promise<number[]> {
  const times = callers.map((): number[] => [])
  for (let round = -WARMUP_ROUNDS; round < ROUNDS; round++) {
    for (const [n, call] of callers.entries()) {
      for (let i = 0; i < CALLS_A_ROUND; i++) {
        const start = performance.now()
        await call()
        if (round >= 0) times[n]?.push(performance.now() - start)
      }
    }
  }
  return times.map(medianOf)
}

// ------------------------------------------------------------------------------------------------ in process

async function benchInProcess(): Promise<Row> {
  const world = openWorld()
  const tools = await listEcho()
  world.release(world.enrol('com.example'), {
    server: SERVER,
    version: '1.0.0',
    tools: tools.map((definition) => ({ definition, permissions: [] })),
  })
  const host = await openHost({
    registry: world.frozenApi(),
    trust: world.trust,
    memory: memoryInProcess(),
    policy: BLOCK,
    now: () => world.clock * 1000,
  })
  let allowed = 0
  const guarded = guardTransport(new EchoTransport(tools), {
    host,
    server: SERVER,
    validator: openValidator(),
    onEvent: ({ type }) => {
      if (type === 'call-allowed') allowed++
    },
  })
  const plain = await connect(new EchoTransport(tools))
  const behind = await connect(guarded as unknown as EchoTransport)
  const [without = 0, withGuard = 0] = await latencies([caller(plain), caller(behind)])
  await Promise.all([plain.close(), behind.close()])
  await host.close()
  if (allowed !== (WARMUP_ROUNDS + ROUNDS) * CALLS_A_ROUND) throw new Error(`${allowed} calls were allowed`)
  return rowOf(
    { bench: 'guard', row: 'in-process-added-p50', unit: 'ms', target: 1 },
    { value: withGuard - without, against: ADDED_IN_PROCESS_MS },
  )
}

async function connect(transport: EchoTransport): Promise<Client> {
  const client = new Client({ name: 'bench', version: '1.0.0' })
  await client.connect(transport as never)
  await client.listTools()
  return client
}

function caller(client: Client): Caller {
  return async () => assertEcho(await client.callTool(PARAMS))
}

/** A benchmark of refusals would be fast and worthless. */
function assertEcho(result: unknown): void {
  const { content } = result as { content?: readonly { text?: string }[] }
  if (content?.[0]?.text !== PARAMS.arguments.text) throw new Error(`no echo: ${JSON.stringify(result)}`)
}

/** A server without a process, which answers in the next microtask. */
class EchoTransport {
  onmessage?: (message: object) => void
  onclose?: () => void
  onerror?: (error: Error) => void
  readonly #tools: readonly JsonObject[]

  constructor(tools: readonly JsonObject[]) {
    this.#tools = tools
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.onclose?.()
    return Promise.resolve()
  }

  send(message: JsonObject): Promise<void> {
    const { id, method } = message
    if (id !== undefined) {
      const answer = { jsonrpc: '2.0', id, result: this.#answer(method as string) }
      queueMicrotask(() => this.onmessage?.(answer))
    }
    return Promise.resolve()
  }

  #answer(method: string): object {
    if (method === 'tools/call') return { content: [{ type: 'text', text: PARAMS.arguments.text }] }
    if (method === 'tools/list') return { tools: this.#tools }
    return {
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'echo', version: '1.0.0' },
    }
  }
}

// ------------------------------------------------------------------------------------------- as a process

async function listEcho(): Promise<JsonObject[]> {
  const peer = await open({ command: ECHO })
  const { result } = await peer.request('tools/list')
  await peer.close()
  return (result as { tools: JsonObject[] }).tools
}

async function benchProcess(): Promise<Row[]> {
  const places = await openSignedPlaces()
  try {
    const tools = (await listEcho()).map((definition) => ({ definition, permissions: [] }))
    await places.publish({ server: SERVER, tools })
    return await measureProcesses(places)
  } finally {
    await places.close()
  }
}

async function measureProcesses(places: SignedPlaces): Promise<Row[]> {
  const place = places.place('bench', { host: 'bench.example' })
  const guard = (...options: string[]): Launch => places.guardLaunch(SERVER, ECHO, place, ...options)
  const copying = await open({ command: COPY })
  const guarded = await open(guard('--no-events'))
  const recording = await open(guard('--events', `${place.folder}/records.jsonl`))
  const peers = [copying, guarded, recording]
  try {
    for (const peer of [guarded, recording]) await assertGuards(peer)
    const [copyMs = 0, guardMs = 0, recordMs = 0] = await latencies(peers.map(echoThrough))
    const rate = await ratesOf(peers)
    const added = (row: string, ms: number): Row =>
      rowOf(
        { bench: 'guard', row, unit: 'ms', target: 1 },
        { value: ms - copyMs, against: ADDED_BY_PROCESS_MS },
      )
    return [
      added('process-added-p50', guardMs),
      added('process-recording-added-p50', recordMs),
      rowOf(
        { bench: 'guard', row: 'process-calls', unit: '/s', target: 1, atLeast: true },
        { value: rate[1] ?? 0, against: CALLS_PER_SECOND },
      ),
      rowOf(
        { bench: 'guard', row: 'process-recording-calls', unit: '/s' },
        { value: rate[2] ?? 0, against: rate[0] ?? 0 },
      ),
      rowOf(
        { bench: 'guard', row: 'copying-calls', unit: '/s' },
        { value: rate[0] ?? 0, against: CALLS_PER_SECOND },
      ),
    ]
  } finally {
    await Promise.all(peers.map((peer) => peer.close()))
  }
}

async function open(launch: Launch): Promise<Peer> {
  const own = { PATH: process.env['PATH'] ?? '' }
  const peer = new Peer({ env: own, ...launch, forgetful: true })
  await peer.greet()
  await peer.request('tools/list')
  return peer
}

/** The server itself echoes whatever it is called. */
async function assertGuards(peer: Peer): Promise<void> {
  const { error } = await peer.request('tools/call', { ...PARAMS, name: 'nobody-signed-this' })
  if (error === undefined) throw new Error('nobody guards')
}

function echoThrough(peer: Peer): Caller {
  return async () => assertEcho((await peer.request('tools/call', PARAMS))['result'])
}

/** The best of three bursts each, taking turns: what it can do, not what else the machine did meanwhile. */
async function ratesOf(peers: readonly Peer[]): Promise<number[]> {
  const best = peers.map(() => 0)
  for (let turn = 0; turn < 3; turn++) {
    for (const [n, peer] of peers.entries()) best[n] = Math.max(best[n] ?? 0, await burst(peer))
  }
  return best
}

/** Calls a second, so many at once. */
async function burst(peer: Peer): Promise<number> {
  const call = echoThrough(peer)
  let left = BURST
  const lane = async (): Promise<void> => {
    while (left-- > 0) await call()
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: LANES }, lane))
  return BURST / ((performance.now() - start) / 1000)
}
