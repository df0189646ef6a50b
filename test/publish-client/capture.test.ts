import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CountersignError, formatManifest, parseManifest, type Slot } from 'countersign/core'
import { buildManifest, captureServer, compareWithManifest, type Capture } from 'countersign/publish'
import { rawServer, realServer } from '../support/cli-command.js'

const FAST = { startMs: 40_000, answerMs: 20_000 }
const about = {
  registry: 'registry-test',
  server: 'com.example/raw',
  version: '1.0.0',
  role: 'publisher',
} as const

function capture(mode: string): Promise<Capture> {
  return captureServer({ command: rawServer(mode) }, FAST)
}

async function refusal(run: Promise<unknown>): Promise<CountersignError> {
  const error: unknown = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(CountersignError)
  return error as CountersignError
}

describe('captureServer', () => {
  it.each(['plain', 'paged', 'noise', 'asks', 'late', 'resources'])(
    'reads the whole surface of a server that is %s',
    async (mode) => {
      const { surface, slots, unstable } = await capture(mode)
      expect(surface.items.map((item) => `${item.kind} ${item.name}`)).toEqual(['tool add', 'tool subtract'])
      expect(unstable).toEqual([])
      expect(slots).toEqual([])
      expect(surface.noise).toBe(mode === 'noise' ? 2 : 0)
    },
  )

  it.each([
    ['duplicate-member', 'json-duplicate-member'],
    ['inexact', 'json-number-inexact'],
    ['surrogate', 'json-lone-surrogate'],
    ['no-type', 'schema-root'],
    ['twice', 'duplicate-name'],
    ['endless', 'too-many'],
    ['repeating', 'malformed-list'],
    ['many', 'too-many'],
    ['error', 'server-error'],
    ['crash', 'server-exited'],
  ])('refuses a server that is %s', async (mode, reason) => {
    const error = await refusal(capture(mode))
    expect(error.code).toBe('capture-failed')
    expect(error.detail['reason']).toBe(reason)
  })

  it('names the tool whose schema no client would accept', async () => {
    const error = await refusal(capture('no-type'))
    expect(error.detail).toMatchObject({ tool: 'bad_schema', member: 'inputSchema' })
  })

  it('refuses a line of more than 10 MB', async () => {
    expect((await refusal(capture('long-line'))).detail['limit']).toBe(10 * 1024 * 1024)
  })

  it('hands over what a server that failed said on stderr', async () => {
    expect(String((await refusal(capture('crash'))).detail['stderr'])).toContain('the database')
  })

  it('gives up on a server that says nothing', async () => {
    const silent = captureServer({ command: rawServer('silent') }, { startMs: 1_500, answerMs: 500 })
    expect((await refusal(silent)).detail['reason']).toBe('timeout')
  })

  it('says when the command cannot be started', async () => {
    const error = await refusal(captureServer({ command: ['countersign-no-such-program'] }, FAST))
    expect(error.code).toBe('capture-failed')
  })

  it('ends when it is aborted', async () => {
    const stop = new AbortController()
    const running = captureServer({ command: rawServer('silent') }, { ...FAST, signal: stop.signal })
    setTimeout(() => stop.abort(), 300)
    await expect(running).rejects.toThrow()
  })

  it('reports what no slot explains', async () => {
    const { unstable, slots } = await capture('random')
    expect(slots).toEqual([])
    expect(unstable).toEqual([{ item: 'tool dice', pointer: '/description', what: 'text' }])
  })

  it('names the members that no host will see', async () => {
    expect((await capture('extra')).surface.dropped).toEqual(['tool.examples', 'tool.id'])
  })
})

describe('slots of a server that states facts', () => {
  let folder: string
  let found: Capture
  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'countersign-facts-')))
    found = await captureServer({ command: rawServer('facts'), cwd: folder }, FAST)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('proposes them where the facts stand', () => {
    expect(found.unstable).toEqual([])
    const where = found.slots.filter((one) => one.item === 'tool where')
    const since = found.slots.find((one) => one.item === 'tool since')
    expect(since?.slot).toEqual({
      pointer: '/inputSchema/properties/to/default',
      parts: [{ fact: 'time-ms' }],
      type: 'number',
    })
    const factsOf = (slot: Slot) =>
      slot.parts.flatMap((part) => (typeof part === 'string' ? [] : [part.fact]))
    expect(factsOf(where[0]!.slot)).toContain('cwd')
    // A short host name may be an ordinary word: then it is in the second, wider proposal.
    expect(factsOf(where.at(-1)!.slot)).toEqual(['hostname', 'cwd'])
  })

  it('leaves no fact of this machine in the manifest', () => {
    const payload = formatManifest(buildManifest(found, { ...about, slots: 'all' }))
    const text = Buffer.from(payload).toString('utf8')
    expect(text).not.toContain(folder)
    expect(text).not.toContain(`Runs on ${hostname()}`)
    expect(parseManifest(payload).tools.map((tool) => tool.slots?.length)).toEqual([1, 1])
  })

  it('makes a manifest that the next start still fits', async () => {
    const manifest = buildManifest(found, { ...about, slots: 'all' })
    const again = await captureServer({ command: rawServer('facts'), cwd: folder }, FAST)
    expect(compareWithManifest(again, manifest, folder)).toEqual([])
  })
})

describe('compareWithManifest', () => {
  it('names what was added, removed and changed', async () => {
    const manifest = buildManifest(await capture('plain'), about)
    const [add, subtract] = manifest.tools
    const changed = { ...add!, definition: { ...add!.definition, description: 'Adds two numbers!' } }
    const other = { ...subtract!, definition: { ...subtract!.definition, name: 'divide' } }
    const shown = await capture('plain')
    expect(compareWithManifest(shown, manifest)).toEqual([])
    expect(compareWithManifest(shown, { ...manifest, tools: [changed, other] })).toEqual([
      { item: 'tool add', what: 'changed' },
      { item: 'tool subtract', what: 'added' },
      { item: 'tool divide', what: 'removed' },
    ])
  })

  it('takes another dialect of the same definition for the same', async () => {
    const shown = await capture('plain')
    const manifest = buildManifest(shown, about)
    const tools = manifest.tools.map((tool) => ({
      ...tool,
      definition: { ...tool.definition, execution: { taskSupport: 'forbidden' } },
    }))
    expect(compareWithManifest(shown, { ...manifest, tools })).toEqual([])
  })
})

describe('real servers', () => {
  it.each([
    ['filesystem', ['.']],
    ['everything', []],
    ['memory', []],
  ] as const)('captures server-%s, finds its package, and makes a manifest of it', async (name, args) => {
    const shown = await captureServer({ command: realServer(name, ...args) }, { startMs: 60_000 })
    expect(shown.unstable).toEqual([])
    expect(shown.package?.ref).toMatchObject({
      registryType: 'npm',
      identifier: `@modelcontextprotocol/server-${name}`,
      version: '2026.8.31',
    })
    expect(shown.package?.ref.integrity).toMatch(/^sha512-/)
    const manifest = buildManifest(shown, { ...about, version: '2026.8.31', role: 'voucher' })
    expect(manifest.tools.length).toBeGreaterThan(5)
    expect(manifest.subject?.packages?.[0]?.identifier).toBe(`@modelcontextprotocol/server-${name}`)
  })
})
