import { memoryInProcess, openHost, type Host, type RegistryApi, type Review } from 'countersign'
import type { JsonObject } from 'countersign/core'
import canonicalize from 'canonicalize'
import { build } from 'esbuild'
import crypto, { type KeyObject } from 'node:crypto'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { BLOCK, openWorld, toolsOf, type Published, type World } from '../support/world.js'
import { medians, rowOf, subject, type Row, type Subject } from './measure.js'

const TOOLS = 50
const COLD_MS = 8
const BROWSER_KIB = 25
const INPUT = { slot: 'bench', server: 'com.acme/large', version: '1.0.0' }

/** What a host pays: a listing reviewed warm, the first one cold, and what a browser loads. */
export async function benchVerify(): Promise<Row[]> {
  const world = openWorld()
  const published = world.release(world.enrol('com.acme'), {
    server: INPUT.server,
    version: INPUT.version,
    tools: manyTools(),
  })
  const host = await openBenchHost(world)
  assertWhole(await review(host, toolsOf(published)))
  const hash = subject(
    () => toolsOf(published),
    (tools) => tools.map(hashTool),
  )
  const warm = subject(
    () => toolsOf(published),
    (tools) => review(host, tools),
  )
  const [warmMs = 0, hashMs = 0] = await medians([warm, hash], 400, 100)
  const [coldMs = 0, signaturesMs = 0, hashAgainMs = 0] = await medians(
    await coldSubjects(world, published, hash),
    200,
    400,
  )
  return [
    rowOf({ bench: 'verify', row: 'warm-50', unit: 'ms', target: 1 }, { value: warmMs, against: hashMs }),
    rowOf(
      { bench: 'verify', row: 'cold-50', unit: 'ms', target: 2.5 },
      { value: coldMs, against: signaturesMs + hashAgainMs },
      COLD_MS,
    ),
    rowOf(
      { bench: 'verify', row: 'browser-bytes', unit: 'KiB', target: 1 },
      { value: await browserKib(), against: BROWSER_KIB },
    ),
  ]
}

/** Tools of the size that real servers have: about 900 bytes of compact JSON, half of it the schema. */
function manyTools() {
  return Array.from({ length: TOOLS }, (_, i) => ({ definition: largeTool(i), permissions: [] }))
}

function largeTool(i: number): JsonObject {
  const properties = Object.fromEntries(
    ['project', 'query', 'filter', 'limit'].map((name) => [
      name,
      {
        type: name === 'limit' ? 'integer' : 'string',
        description: `The ${name} that operation ${i} applies to.`,
      },
    ]),
  )
  return {
    name: `operation_${i}`,
    title: `Operation ${i}`,
    description: `Operation ${i} looks up the records of a project that match a query. `.repeat(3).trim(),
    inputSchema: { type: 'object', properties, required: ['project'], additionalProperties: false },
    annotations: { readOnlyHint: true, openWorldHint: false },
  }
}

function openBenchHost(world: World): Promise<Host> {
  return openHost({
    registry: world.frozenApi(),
    trust: world.trust,
    memory: memoryInProcess(),
    policy: BLOCK,
    now: () => world.clock * 1000,
  })
}

function review(host: Host, tools: readonly JsonObject[]): Promise<Review> {
  return host.review({ ...INPUT, tools })
}

/** A benchmark of refusals would be fast and worthless. */
function assertWhole({ allowed, verdict, withheld }: Review): void {
  if (verdict === 'verified' && allowed.length === TOOLS) return
  throw new Error(`the bench reviews nothing: ${verdict} ${JSON.stringify(withheld.slice(0, 2))}`)
}

function hashTool(tool: JsonObject): string {
  return crypto.hash('sha256', canonicalize(tool)!, 'hex')
}

/** A registry whose answers are ready: signing and proving them is not the host's work. */
async function cannedApi(world: World, published: Published): Promise<RegistryApi> {
  const api = world.frozenApi()
  const [status, bundle, versions] = await Promise.all([
    api.fetchStatus(),
    api.fetchBundle(published.digest),
    api.fetchVersions(published.server),
  ])
  return {
    ...api,
    fetchStatus: () => Promise.resolve(status),
    fetchBundle: () => Promise.resolve(bundle),
    fetchVersions: () => Promise.resolve(versions),
  }
}

interface Verification {
  readonly data: Uint8Array
  readonly key: KeyObject
  readonly signature: Uint8Array
}

/**
 * A cold review, exactly the signatures it verifies, and the yardstick of the row above (canonicalize and hash 50 tools):
 * what no review can do without. Our own warm review would be a worse yardstick: it shrinks with every improvement.
 * Keys are known in all of them.
 */
async function coldSubjects(world: World, published: Published, hash: Subject): Promise<Subject[]> {
  const api = await cannedApi(world, published)
  const { trust } = world
  const cold = subject(
    () => toolsOf(published),
    async (tools) => {
      const memory = memoryInProcess()
      const host = await openHost({
        registry: api,
        trust,
        memory,
        policy: BLOCK,
        now: () => world.clock * 1000,
      })
      return review(host, tools)
    },
  )
  const verifications = await recordVerifications(async () => {
    assertWhole((await cold.run(await cold.prepare())) as Review)
  })
  const again = (): boolean =>
    verifications.every(({ data, key, signature }) => crypto.verify(null, data, key, signature))
  if (verifications.length < 5 || !again())
    throw new Error('a cold review verifies signatures, and they hold')
  return [cold, { prepare: () => undefined, run: again }, hash]
}

/** What goes through Node's verify meanwhile: the module is one object, and the core calls it as such. */
async function recordVerifications(work: () => Promise<void>): Promise<Verification[]> {
  const real = createRequire(import.meta.url)('node:crypto') as { verify: typeof crypto.verify }
  const { verify } = real
  const found: Verification[] = []
  real.verify = ((algorithm: null, data: Uint8Array, key: KeyObject, signature: Uint8Array) => {
    found.push({ data, key, signature })
    return verify(algorithm, data, key, signature)
  }) as typeof crypto.verify
  try {
    await work()
  } finally {
    real.verify = verify
  }
  return found
}

/** `countersign/verify` as a browser gets it: bundled, minified, compressed. */
async function browserKib(): Promise<number> {
  const result = await build({
    stdin: {
      contents: "export * from 'countersign/verify'",
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'silent',
  })
  return gzipSync(result.outputFiles[0]!.contents, { level: 9 }).length / 1024
}
