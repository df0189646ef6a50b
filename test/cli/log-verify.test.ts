import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  encodeBase64,
  encodeKeyX,
  formatEvent,
  formatRevocationLine,
  revocationRoot,
  signKeyAddEvent,
  signKeyRevokeEvent,
  signNamespaceEvent,
  utf8Bytes,
  type ApproveEvent,
  type DecisionEvent,
  type Digest,
  type LogEvent,
  type PublishEvent,
  type RootEvent,
} from 'countersign/core'
import { formatFirstRoot } from '../../src/log/root.js'
import { openKeys } from '../../src/log/keys.js'
import { writeTrust } from '../../client/src/node/index.js'
import { openReplay, type ReplaySummary } from '../../client/src/cli/log/replay.js'
import { openDesk, runCli, type Desk } from '../support/cli.js'
import { realServer } from '../support/cli-command.js'
import { newKey } from '../support/registry.js'

const REGISTRY = 'registry-test'
const ROOT = `sha256:${'1'.repeat(64)}` as const
const digestOf = (digit: string): Digest => `sha256:${digit.repeat(64)}`

const own = newKey()
const other = newKey()
const namespace = signNamespaceEvent(
  { namespace: 'com.example', proof: 'admin', account: 'a' },
  REGISTRY,
  own,
)
const keyAdd = signKeyAddEvent({ namespace: 'com.example', role: 'sign', after: 1 }, REGISTRY, own, own)
const addOther = signKeyAddEvent({ namespace: 'com.example', role: 'sign', after: 1 }, REGISTRY, other, own)
const publish: PublishEvent = {
  v: 1,
  t: 'publish',
  server: 'com.example/a',
  version: '1.0.0',
  role: 'publisher',
  kid: own.kid,
  manifest: digestOf('a'),
  envelope: digestOf('b'),
}
const approve: ApproveEvent = {
  v: 1,
  t: 'approve',
  server: 'com.example/a',
  version: '1.0.0',
  manifest: digestOf('a'),
  policy: digestOf('c'),
  deciders: ['a'],
  after: 3,
}
const revoke: DecisionEvent = {
  v: 1,
  t: 'revoke',
  target: 'manifest',
  digest: digestOf('a'),
  reason: 'bad',
  deciders: ['a'],
  after: 4,
}

function snapshot(asOf: number, lines: readonly string[] = [], change: object = {}): LogEvent {
  const revocations = encodeBase64(revocationRoot([...lines].sort()))
  return { v: 1, t: 'snapshot', asOf, revocations, count: lines.length, rootVersion: 1, ...change }
}

const root: RootEvent = { v: 1, t: 'root', version: 1, digest: ROOT }
const revokedLine = formatRevocationLine({ kind: 'manifest', digest: digestOf('a') })
const honest: LogEvent[] = [root, namespace, keyAdd, publish, approve, revoke, snapshot(6, [revokedLine])]

function replay(events: readonly (LogEvent | string)[]): ReplaySummary {
  const run = openReplay(REGISTRY, new Map([[1, ROOT]]))
  for (const event of events) run.add(utf8Bytes(typeof event === 'string' ? event : formatEvent(event)))
  return run.finish()
}

/** The honest log with one entry replaced. */
function lying(at: number, entry: LogEvent | string): ReplaySummary {
  return replay(honest.map((event, i) => (i === at ? entry : event)))
}

describe('openReplay', () => {
  it('finds nothing in an honest log', () => {
    expect(replay(honest)).toMatchObject({
      entries: 7,
      lies: [],
      namespaces: 1,
      manifests: 1,
      revocations: 1,
    })
  })

  it.each<[string, number, LogEvent | string, string]>([
    ['a leaf that is no event', 5, '{"v":1}', 'event-invalid'],
    ['a leaf that is not canonical', 5, `${formatEvent(revoke)} `, 'json-not-canonical'],
    ['a root that is served as something else', 0, { ...root, digest: digestOf('9') }, 'event-invalid'],
    ['a namespace somebody else signed', 1, { ...namespace, account: 'b' }, 'signature-invalid'],
    ['a key that nobody who may has endorsed', 2, addedBy(newKey()), 'key-unknown'],
    ['a key without possession', 2, { ...addOther, pop: addOther.sig ?? '' }, 'signature-invalid'],
    ['an event signed for another state', 2, { ...keyAdd, after: 0 }, 'event-invalid'],
    ['a publication by a key it was not', 3, { ...publish, kid: other.kid }, 'key-unknown'],
    ['a publication under another namespace', 3, { ...publish, server: 'com.other/a' }, 'key-unknown'],
    ['an approval of something else', 4, { ...approve, version: '2.0.0' }, 'event-invalid'],
    ['an approval of what was never published', 4, { ...approve, manifest: digestOf('d') }, 'event-invalid'],
    ['an approval that does not know the latest', 4, { ...approve, after: 1 }, 'event-invalid'],
    ['a snapshot that leaves a revocation out', 6, snapshot(6), 'snapshot-malformed'],
    ['a snapshot that miscounts', 6, snapshot(6, [revokedLine], { count: 2 }), 'snapshot-malformed'],
    ['a snapshot of another index', 6, snapshot(5, [revokedLine]), 'snapshot-malformed'],
    ['a snapshot of another root', 6, snapshot(6, [revokedLine], { rootVersion: 2 }), 'snapshot-malformed'],
  ])('finds %s', (_name, at, entry, code) => {
    const { lies } = lying(at, entry)
    expect(lies.map((lie) => [lie.index, lie.code])).toContainEqual([at, code])
  })

  it('finds a namespace enrolled once more in other letters', () => {
    const folded = signNamespaceEvent(
      { namespace: 'com.Example', proof: 'admin', account: 'b' },
      REGISTRY,
      newKey(),
    )
    const { lies } = replay([root, namespace, folded, snapshot(3)])
    expect(lies.map((lie) => [lie.index, lie.code])).toEqual([[2, 'namespace-mismatch']])
  })

  it('finds a batch that does not end with a snapshot', () => {
    expect(replay(honest.slice(0, 4)).lies.at(-1)).toMatchObject({ index: 3, code: 'snapshot-malformed' })
  })

  it('finds two manifests of one version, and the same one twice', () => {
    const two = replay([...honest.slice(0, 4), { ...publish, manifest: digestOf('d') }, snapshot(5)])
    expect(two.lies).toMatchObject([{ index: 4, code: 'version-mismatch' }])
    const folded = { ...publish, server: 'com.example/A', manifest: digestOf('d') }
    expect(replay([...honest.slice(0, 4), folded, snapshot(5)]).lies).toMatchObject([
      { code: 'version-mismatch' },
    ])
    expect(replay([...honest.slice(0, 4), publish, snapshot(5)]).lies).toMatchObject([
      { code: 'version-mismatch' },
    ])
  })

  it('takes a revoked key for what it is, before and after', () => {
    const head = honest.slice(0, 4)
    const body = { namespace: 'com.example', kid: own.kid, reason: 'compromise', after: 2 } as const
    const ended = signKeyRevokeEvent(body, REGISTRY, own)
    const line = (invalidFrom: number): string =>
      formatRevocationLine({ kind: 'key', namespace: 'com.example', kid: own.kid, invalidFrom })
    expect(replay([...head, ended, snapshot(5, [line(4)])]).lies).toEqual([])
    const late = { ...publish, version: '1.0.1', manifest: digestOf('d') }
    expect(replay([...head, ended, late, snapshot(6, [line(4)])]).lies).toMatchObject([
      { index: 5, code: 'key-unknown' },
    ])
    const early = signKeyRevokeEvent({ ...body, invalidFrom: 3 }, REGISTRY, own)
    expect(replay([...head, early, snapshot(5, [line(3)])]).lies).toEqual([])
    // The key was never good for it: the same manifest may be published again, by a key that it endorsed before.
    const second = signKeyAddEvent({ namespace: 'com.example', role: 'sign', after: 2 }, REGISTRY, other, own)
    const then = signKeyRevokeEvent({ ...body, invalidFrom: 4, after: 3 }, REGISTRY, own)
    const again = { ...publish, kid: other.kid }
    expect(
      replay([...honest.slice(0, 3), second, publish, then, again, snapshot(7, [line(4)])]).lies,
    ).toEqual([])
    expect(replay([...head, second, again, snapshot(6)]).lies).toMatchObject([
      { index: 5, code: 'version-mismatch' },
    ])
  })

  it('finds a reinstatement of what was not revoked, or by one decider', () => {
    const back: DecisionEvent = { ...revoke, t: 'reinstate', deciders: ['a', 'b'], after: 5 }
    expect(replay([...honest.slice(0, 6), back, snapshot(7)]).lies).toEqual([])
    const alone = replay([...honest.slice(0, 6), { ...back, deciders: ['a'] }, snapshot(7)])
    expect(alone.lies).toMatchObject([{ index: 6, code: 'event-invalid' }])
    const twice = replay([...honest.slice(0, 6), back, { ...back, after: 6 }, snapshot(8)])
    expect(twice.lies).toMatchObject([{ index: 7, code: 'event-invalid' }])
  })
})

function addedBy(stranger: ReturnType<typeof newKey>): LogEvent {
  return signKeyAddEvent({ namespace: 'com.example', role: 'sign', after: 1 }, REGISTRY, stranger, stranger)
}

describe('countersign log verify', () => {
  let desk: Desk
  beforeAll(async () => {
    desk = await openDesk()
    await desk.ok('vouch', '--', ...realServer('memory'))
    await desk.ok('admin', 'approve', 'internal.desk/server-memory')
    await desk.ok('verify', 'internal.desk/server-memory')
  })
  afterAll(() => desk.close())

  /** A mirror of the registry that changes what it passes on. */
  async function mirror(
    bend: (path: string, body: Buffer) => Buffer,
  ): Promise<{ url: string; server: Server }> {
    const server = createServer((req, res) => {
      const path = req.url ?? ''
      void (async () => {
        const answer = await fetch(desk.registry.url + path)
        const body = Buffer.from(await answer.arrayBuffer())
        res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
        res.end(bend(path, body))
      })()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
  }

  let audits = 0
  async function audit(bend: (path: string, body: Buffer) => Buffer) {
    const { url, server } = await mirror(bend)
    const evidence = join(desk.home, `evidence-${audits++}.json`)
    const args = ['log', 'verify', '--json', '--registry', url, '--evidence', evidence]
    const result = await runCli(args, { home: desk.home })
    server.close()
    return { result, evidence }
  }

  it('is content with an honest mirror', async () => {
    const { result } = await audit((_path, body) => body)
    expect(result.code).toBe(0)
  })

  it('tells only of entries from the one that is named', async () => {
    expect(await desk.ok('log', 'verify', '--from', '3')).toMatchObject({ ok: true, lies: [], alerts: [] })
  })

  it('and the monitor tells of a real registry, a line each, and of nothing the next time', async () => {
    const args = ['log', 'monitor', '--namespace', desk.namespace]
    const first = await desk.run(...args, '--json')
    expect(first.code).toBe(5)
    const types = first.stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type)
    expect(new Set(types)).toEqual(new Set(['event', 'checkpoint', 'summary']))
    const again = await desk.run(...args)
    expect([again.code, again.stdout.trimEnd().split('\n').length]).toEqual([0, 2])
  })

  it('finds one changed character in one entry, and keeps the evidence', async () => {
    const { result, evidence } = await audit((path, body) =>
      path.includes('/entries/')
        ? Buffer.from(body.toString('latin1').replace('"admin"', '"edmin"'), 'latin1')
        : body,
    )
    expect(result.code).toBe(3)
    const codes = (result.json()['lies'] as { code: string }[]).map((lie) => lie.code)
    expect(codes).toEqual(
      expect.arrayContaining(['signature-invalid', 'checkpoint-invalid', 'proof-invalid']),
    )
    expect(readFileSync(evidence, 'utf8')).toContain('edmin')
  })

  it('finds a tile that is not of these entries', async () => {
    const { result } = await audit((path, body) => {
      if (path.includes('/tile/0/')) body[0] = (body[0] ?? 0) ^ 1
      return body
    })
    expect(result.code).toBe(3)
    expect((result.json()['lies'] as { code: string }[]).map((lie) => lie.code)).toEqual(['proof-invalid'])
  })

  it('finds a registry whose first root is not the one that was pinned', async () => {
    const { registry, home } = desk
    const keys = await openKeys(join(registry.dir, 'data', 'keys'))
    const authorities = { keys: [encodeKeyX(newKey().publicKey)], threshold: 1 }
    const rootNote = formatFirstRoot(keys, Date.now(), { authorities })
    const other = join(home, 'other')
    await writeTrust({ identity: registry.identity, rootNote, registry: registry.url }, other)
    const result = await runCli(['log', 'verify', '--json', '--registry', registry.url], { home: other })
    expect(result.code).toBe(3)
    expect((result.json()['lies'] as { code: string }[]).map((lie) => lie.code)).toEqual(['equivocation'])
  })

  // What may have come from a cache is read again after a while: both wait at the same time.
  it.concurrent('refuses a checkpoint that the pinned key did not sign', async () => {
    const { result } = await audit((path, body) =>
      path === '/log/checkpoint' ? Buffer.from(body.toString('utf8').replace(/\n(\d+)\n/, '\n1\n')) : body,
    )
    expect(result.code).toBe(3)
    expect(result.json()).toMatchObject({ error: { code: 'checkpoint-invalid' } })
  })

  it.concurrent('finds an older log than this host saw', async () => {
    const old = await fetch(`${desk.registry.url}/log/checkpoint`).then((answer) => answer.text())
    await desk.ok('vouch', '--', ...realServer('everything'))
    await desk.ok('admin', 'approve', 'internal.desk/server-everything')
    await desk.ok('verify', 'internal.desk/server-everything')
    const { result } = await audit((path, body) => (path === '/log/checkpoint' ? Buffer.from(old) : body))
    expect(result.code).toBe(3)
    expect((result.json()['lies'] as { code: string }[]).map((lie) => lie.code)).toContain('rollback')
  })
})
