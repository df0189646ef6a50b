import fc from 'fast-check'
import { fetchDescription, type Described } from '../openapi.js'
import {
  addAccount,
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  signManifest,
  startRegistry,
  type Caller,
  type TestRegistry,
} from '../registry.js'
import { openCellar, type Cellar } from './cellar.js'
import { requests, type FuzzRequest } from './requests.js'
import type { Pool } from './values.js'

// Requests from the description, at a registry with something in every room: whatever comes, the answer is one that the
// description has, and what was refused has left nothing.

const HANG_MS = 60_000
const CLOSED_PORT = '127.0.0.1:9'

interface World {
  readonly at: TestRegistry
  readonly api: Described
  readonly pool: Pool
  readonly callers: Readonly<Record<string, Caller>>
}

export interface FuzzCounts {
  sent: number
  refused: number
  accepted: number
}

/** Throws with the request and what is wrong with its answer. */
export async function fuzz(options: { runs: number; seed?: number }): Promise<FuzzCounts> {
  const cellar = await openCellar()
  const world = await openWorld(cellar)
  const counts = { sent: 0, refused: 0, accepted: 0 }
  let before = await cellar.look(world.at.dir)
  const property = fc.asyncProperty(requests(world.api, world.pool), async (request) => {
    const { status, wrong } = await ask(world, request)
    const after = await cellar.look(world.at.dir)
    const left = status >= 400 ? [...after].filter(([table, word]) => before.get(table) !== word) : []
    before = after
    counts.sent++
    if (status >= 400) counts.refused++
    else counts.accepted++
    const stored = left.map(([table]) => `refused with ${status}, and something is stored in ${table}`)
    if (wrong.length + stored.length > 0) throw new Error([...wrong, ...stored].join('\n'))
  })
  try {
    const { runs, seed } = options
    // Each request meets what earlier ones left: a smaller one alone would prove nothing.
    await fc.assert(property, { numRuns: runs, endOnFailure: true, ...(seed !== undefined && { seed }) })
    return counts
  } finally {
    await world.at.close()
    await cellar.close()
  }
}

async function ask(
  { at, api, callers }: World,
  request: FuzzRequest,
): Promise<{ status: number; wrong: readonly string[] }> {
  const { method, path, as, headers, body } = request
  const token = as === 'forger' ? 'eyJhbGciOiJub25lIn0.e30.' : await callers[as]?.token()
  const response = await fetch(at.url + path, {
    method,
    redirect: 'manual',
    signal: AbortSignal.timeout(HANG_MS),
    headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    ...(body !== undefined && method !== 'GET' && { body: Buffer.from(body) }),
  })
  const { status } = response
  const reply = { status, headers: response.headers, text: await textOf(response) }
  const known = api.operationOf(method, new URL(at.url + path).pathname)
  const wrong =
    known === undefined
      ? offencesOfUnknown(reply)
      : api.offences(method, new URL(at.url + path).pathname, reply)
  return { status, wrong: [...wrong, ...outage(reply)] }
}

/** A path that was changed may lead to a stream, which has no end: its head is the answer. */
async function textOf(response: Response): Promise<string> {
  if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream')) return response.text()
  await response.body?.cancel()
  return ''
}

type Answer = Parameters<Described['offences']>[2]

/** Where nothing is described: refused, with a code; or a preflight, or the head of what is. */
function offencesOfUnknown({ status, text, headers }: Answer): readonly string[] {
  if (status < 400 || text === '') return status < 500 ? [] : [`${status}`]
  // Pages, and the authorization server, which has words of its own.
  if (!(headers.get('content-type') ?? '').includes('json')) return status < 500 ? [] : [`${status}`]
  const { code, error } = JSON.parse(text) as { code?: unknown; error?: unknown }
  return typeof (code ?? error) === 'string' ? [] : [`${status} without a code`]
}

/** 501 is the MCP Registry API's own word for writes; 503 says when to come again. */
function outage({ status, headers, text }: Answer): readonly string[] {
  if (status < 500) return []
  if (status === 501 && text.includes('not-implemented')) return []
  if (status === 503 && headers.has('retry-after')) return []
  return [`${status}: ${text}`]
}

async function openWorld({ databaseUrl }: Cellar): Promise<World> {
  const at = await startRegistry({
    ...(databaseUrl !== undefined && { databaseUrl }),
    // Nothing is found out there, and nothing changes by itself while it is looked at.
    config: { dnsServers: [CLOSED_PORT] },
    overrides: { refreshSeconds: 86_400, webhookEveryMs: 86_400_000 },
  })
  const publisher = await addPublisher(at, 'com.example', await addAccount(at, 'publisher', ['publisher']))
  const callers = {
    publisher: publisher.caller,
    reviewer: await addAccount(at, 'reviewer', ['reviewer']),
    auditor: await addAccount(at, 'auditor', ['auditor']),
    admin: at.admin,
  }
  await at.admin.post('/v1/admin/accounts', { name: 'robot', roles: ['auditor'] })
  const named = (version: string) => sampleManifest(at.identity, { server: 'com.example/weather', version })
  const approved = await publishManifest(publisher, named('1.0.0'))
  await approveManifest(callers.reviewer, approved.manifest)
  const pending = await Promise.all(
    ['1.1.0', '1.2.0', '1.3.0'].map((one) => publishManifest(publisher, named(one))),
  )
  const { body } = await at.admin.get('/v1/servers/com.example/weather/versions/1.0.0')
  const [tool] = body['tools'] as { digest: string }[]
  const manifests = [approved, ...pending].map(({ manifest }) => manifest)
  const pool: Pool = {
    ns: ['com.example'],
    name: ['weather'],
    version: ['1.0.0', '1.1.0', 'latest'],
    from: ['1.0.0', 1],
    to: ['1.1.0', 2],
    digest: [...manifests, tool?.digest ?? ''],
    kid: [publisher.key.kid],
    // Not those whose tokens the run lives from.
    account: ['robot', 'nobody'],
    id: ['none'],
    tile: ['0/000.p/4', 'entries/000.p/4', '0/000'],
    server: ['com.example/weather'],
    reason: ['it has to be'],
    text: ['a word'],
    after: pending.map(({ index }) => index),
    namespace: ['com.example', 'org.example'],
    roles: [['auditor'], ['reviewer']],
    package: ['npm:weather'],
    'application/jose': ['2.0.0', '2.1.0'].map((one) => signManifest(named(one), publisher.key)),
    'text/plain': [(await (await fetch(`${at.url}/log/checkpoint`)).text()) || 'note'],
  }
  return { at, api: await fetchDescription(at.url), pool, callers }
}
