import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { coveredItem, type ItemKind, type JsonObject, type Manifest } from 'countersign/core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Peer } from './peer.js'
import { openSignedPlaces, type Place, type SignedPlaces } from './signed.js'
import { LARGE, programOf, TEN, type Step, type TenServer } from './ten.js'

// What the guard must change of an honest server's frames is this and no more:
// - the order of members in items of lists, which go on as they were signed (JSON objects have none);
// - members of items that no digest covers, which no server here sends;
// - `listChanged`: the guard itself tells the host when a verdict is another, so it says that it may;
// - texts that nobody signed: what `serverInfo` says beside name and version, and why a list was refused (its code goes on);
// - `list_changed` notifications, of which a host needs one for each change, not one for each registration;
// - lines that are no JSON-RPC, which some of these servers write to stdout;
// - the answer to a call of a tool that is not listed.

let places: SignedPlaces
let place: Place

beforeAll(async () => {
  places = await openSignedPlaces()
  place = places.place('desk', { host: 'desk.example' })
})
afterAll(() => places.close())

/** What one request brought, in the order in which it came. */
interface Heard {
  readonly step: Step
  readonly answer: JsonObject
  /** Progress, log messages and requests of the server that came before the answer. */
  readonly before: readonly JsonObject[]
}

interface Told {
  readonly initialize: JsonObject
  readonly steps: readonly Heard[]
  readonly noise: number
  readonly unknown: JsonObject
  readonly exit: number | null
}

const CAPABILITIES = { roots: {}, sampling: {}, elicitation: {} }

const ANSWERS: Readonly<Record<string, JsonObject>> = {
  'roots/list': { roots: [] },
  'sampling/createMessage': {
    model: 'test',
    role: 'assistant',
    content: { type: 'text', text: 'Forty-two.' },
  },
  'elicitation/create': { action: 'decline' },
}

async function play(peer: Peer, steps: readonly Step[]): Promise<Told> {
  onTestFinished(() => peer.kill('SIGKILL'))
  peer.onRequest(({ method }) => ANSWERS[method as string])
  const initialize = await peer.greet(CAPABILITIES)
  const heard: Heard[] = []
  for (const step of steps) {
    const from = peer.heard.length
    const answer = await peer.request(...step)
    heard.push({ step, answer, before: peer.heard.slice(from, peer.heard.indexOf(answer)).filter(isCausal) })
  }
  const unknown = await peer.request('tools/call', { name: 'no-such-tool-of-anybody', arguments: {} })
  return { initialize, steps: heard, noise: peer.noise.length, unknown, exit: await peer.close() }
}

/** What a request causes itself; everything else comes when it comes. */
function isCausal({ method }: JsonObject): boolean {
  return method === 'notifications/progress' || method === 'sampling/createMessage'
}

/** Ids of requests are the sender's own business. */
function withoutId({ id, ...frame }: JsonObject): JsonObject {
  return { ...frame, ...('method' in frame && id !== undefined && { id: 'any' }) }
}

interface Initialized {
  readonly result: {
    readonly protocolVersion: string
    readonly capabilities: Readonly<Record<string, JsonObject>>
    readonly serverInfo: JsonObject
    readonly instructions?: string
  }
}

/** The answer to `initialize` as a guard hands it on. */
function offered(answer: JsonObject): unknown {
  const { result, ...frame } = answer as JsonObject & Initialized
  const { name, version, title } = result.serverInfo
  const capabilities: Record<string, JsonObject> = {}
  for (const [key, value] of Object.entries(result.capabilities))
    capabilities[key] = LISTED.has(key) ? { ...value, listChanged: true } : value
  return {
    ...frame,
    result: {
      ...result,
      capabilities,
      serverInfo: { name, version, ...(title !== undefined && { title }) },
    },
  }
}

const LISTED: ReadonlySet<string> = new Set(['tools', 'prompts', 'resources'])

/** A list that the server refused: its code is the server's, its words are nobody's. */
function handedOn(answer: JsonObject, [method]: Step): unknown {
  const { error, ...frame } = answer
  if (error === undefined || !method.endsWith('/list')) return answer
  return { ...frame, error: { code: (error as JsonObject)['code'], message: expect.any(String) as unknown } }
}

function manifestOf(server: string, { initialize, steps }: Told): Partial<Manifest> {
  const listed = (method: string, member: string, kind: ItemKind): { definition: JsonObject }[] => {
    const answer = steps.find(({ step }) => step[0] === method)?.answer['result'] as JsonObject | undefined
    return ((answer?.[member] ?? []) as JsonObject[]).map((one) => ({ definition: coveredItem(kind, one) }))
  }
  const { instructions } = initialize['result'] as { instructions?: string }
  return {
    server,
    tools: listed('tools/list', 'tools', 'tool').map((tool) => ({ ...tool, permissions: [] })),
    prompts: listed('prompts/list', 'prompts', 'prompt'),
    resourceTemplates: listed('resources/templates/list', 'resourceTemplates', 'template'),
    ...(instructions !== undefined && { instructions: { definition: { text: instructions } } }),
  }
}

/** A folder as it was, for each run of a server. */
function freshFolder(name: string): string {
  const folder = join(place.folder, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'large.txt'), LARGE)
  writeFileSync(join(folder, 'note.md'), '# A note\n\nwith text\n')
  return folder
}

async function playBoth({ package: name, args, env, steps }: TenServer): Promise<[Told, Told]> {
  const local = name.replace(/^@.*\//, '')
  const server = `com.example/${local}`
  const folder = freshFolder(local)
  const command = [process.execPath, programOf(name), ...args(folder)]
  const own = { ...place.env, ...env?.(folder) }
  const direct = await play(new Peer({ command, cwd: place.folder, env: own }), steps(folder))
  await places.publish(manifestOf(server, direct))
  freshFolder(local)
  const guarded = await play(places.guard(server, command, place, env?.(folder)), steps(folder))
  return [direct, guarded]
}

/** What came before answers, of servers that say something before. */
const EXPECTED_BEFORE: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  '@modelcontextprotocol/server-everything': {
    'notifications/progress': 4,
    'sampling/createMessage': 1,
  },
}

function countOf({ steps }: Told): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const method of steps.flatMap(({ before }) => before.map((frame) => frame['method'] as string)))
    counts[method] = (counts[method] ?? 0) + 1
  return counts
}

describe('ten real servers through the guard as a process', () => {
  it.each(TEN.map((server) => [server.package, server] as const))('%s: unharmed', async (_, server) => {
    const [direct, guarded] = await playBoth(server)
    expect(guarded.initialize).toEqual(offered(direct.initialize))
    for (const [n, { step, answer, before }] of direct.steps.entries()) {
      const what = JSON.stringify(step).slice(0, 100)
      expect(guarded.steps[n]?.answer, what).toEqual(handedOn(answer, step))
      expect(guarded.steps[n]?.before.map(withoutId), what).toEqual(before.map(withoutId))
    }
    expect(countOf(guarded)).toEqual(EXPECTED_BEFORE[server.package] ?? {})
    expect(guarded.noise).toBe(0)
    expect(guarded.unknown).toMatchObject({ error: { code: -32602 } })
    expect(guarded.exit).toBe(0)
  })
})
