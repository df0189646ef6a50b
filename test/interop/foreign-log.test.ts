import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  decodeBase64,
  encodeBase64,
  EMPTY_ROOT,
  equalBytes,
  formatTilePath,
  leafHash,
  openCheckpoint,
  parseEntryBundle,
  parseHashTile,
  parseTrustRoot,
  parseVerifierKey,
  rangeRoot,
  appendLeaf,
  emptyRange,
  tilesForSize,
  treeRoot,
  utf8Bytes,
  verifyConsistency,
  verifyInclusion,
} from 'countersign/core'
import { openWitness, type RunningWitness } from '../../client/src/witness/index.js'
import { plainCandidate } from '../support/ledger.js'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  send,
  startRegistry,
  type TestRegistry,
} from '../support/registry.js'
import { vectors } from '../support/shared.js'
import { codeOf, readerOver } from '../support/tlog.js'
import { requestOf, tempFolder } from '../witness/support.js'
import { buildForeignProgram, type ForeignAnswer } from './foreign-program.js'

const program = buildForeignProgram()
const folder = tempFolder()
afterAll(() => {
  program?.remove()
  folder.remove()
})

async function accepted(...args: readonly string[]): Promise<Record<string, unknown>> {
  const answer = await ask(...args)
  if ('refusal' in answer) throw new Error(answer.refusal)
  return answer.document as Record<string, unknown>
}

async function refusal(...args: readonly string[]): Promise<string> {
  const answer = await ask(...args)
  return 'refusal' in answer ? answer.refusal.split(':')[0]! : 'accepted'
}

async function ask(...args: readonly string[]): Promise<ForeignAnswer> {
  return program === undefined ? { refusal: 'no program' } : program.run(...args)
}

describe.skipIf(!program)('golang.org/x/mod/sumdb reads a registry', () => {
  let at: TestRegistry
  let vkey: string
  let proxy: Server
  let through: string
  let change: (path: string, body: Uint8Array) => Uint8Array = (_, body) => body

  beforeAll(async () => {
    at = await startRegistry()
    vkey = parseTrustRoot(await text('/v1/root/latest')).logs[0]!.vkey
    proxy = createServer((req, res) => void forward(req.url ?? '', res))
    await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening))
    through = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    await new Promise((closed) => proxy.close(closed))
    await at.close()
  })

  async function text(path: string): Promise<string> {
    return (await send(at.url, 'GET', path)).text
  }

  /** The registry, with whatever a test changes in its answers. */
  async function forward(path: string, res: ServerResponse): Promise<void> {
    const response = await fetch(at.url + path)
    const body = new Uint8Array(await response.arrayBuffer())
    res.writeHead(response.status).end(change(path, body))
  }

  let filled = 0
  /** Logs plain events until the tree has at least this size; every batch adds a snapshot of its own. */
  async function growTo(size: number): Promise<number> {
    const sizeNow = async (): Promise<number> => Number((await text('/log/checkpoint')).split('\n')[1])
    for (let now = await sizeNow(); now < size; now = await sizeNow()) {
      const count = Math.min(size - now, 100)
      const all = Array.from({ length: count }, () => at.registry.ledger.submit(plainCandidate(filled++)))
      await Promise.all(all)
    }
    return sizeNow()
  }

  it('checkpoint, every tile, every entry, and proofs, below and beyond 256 entries', async () => {
    for (const target of [100, 256, 600]) {
      const size = await growTo(target)
      const older = [1, 2, 3, 64, 99, 128, 255, 256, 257, 512, size - 1, size].filter((from) => from <= size)
      const read = await accepted('read', at.url, vkey, ...older.map(String))
      expect(read).toMatchObject({
        ...{ origin: `${at.identity}/log`, size, root: (await text('/log/checkpoint')).split('\n')[2] },
        // One line is the log's; the timestamper's is of a kind this implementation does not know.
        ...{ verified: 1, others: 1, entries: size, inclusions: size, consistency: older.length },
        tiles: [...tilesForSize(size)].length,
      })
      expect(read['refused']).toBe(2 * size + older.length)
    }
  })

  it('the inclusion proofs of a bundle', async () => {
    const publisher = await addPublisher(at, 'com.example', at.admin)
    const manifest = sampleManifest(at.identity, { server: 'com.example/weather' })
    const { manifest: digest } = await publishManifest(publisher, manifest)
    await approveManifest(at.admin, digest)
    const path = `/v1/bundles/${digest}`
    const { events } = JSON.parse(await text(path)) as { events: unknown[] }
    expect(await accepted('bundle', at.url + path, vkey)).toMatchObject({ events: events.length })
    change = (_, body) => {
      const bundle = JSON.parse(new TextDecoder().decode(body)) as { events: { proof: string[] }[] }
      const [first, second] = bundle.events
      ;[first!.proof, second!.proof] = [second!.proof, first!.proof]
      return utf8Bytes(JSON.stringify(bundle))
    }
    expect(await refusal('bundle', through + path, vkey)).toBe('inclusion')
  })

  const flip = (body: Uint8Array, at: number): Uint8Array =>
    body.map((byte, i) => (i === at ? byte ^ 1 : byte))
  it.each<[string, (path: string, body: Uint8Array) => Uint8Array, string]>([
    ['nothing changed', (_, body) => body, 'accepted'],
    ['a byte of a full tile', (path, body) => (path === '/log/tile/0/000' ? flip(body, 77) : body), 'tiles'],
    ['a byte of the last tile', (path, body) => (/tile\/0\/002/.test(path) ? flip(body, 0) : body), 'tiles'],
    ['a byte of a tile above', (path, body) => (/tile\/1\/000/.test(path) ? flip(body, 40) : body), 'tiles'],
    ['a byte of an entry', (path, body) => (/entries\/001/.test(path) ? flip(body, 9) : body), 'entries'],
    [
      'two entries in each other’s place',
      (path, body) => (/entries\/000/.test(path) ? swap(body) : body),
      'entries',
    ],
    ['another size', (path, body) => (/checkpoint/.test(path) ? resized(body) : body), 'note'],
    ['a byte of a proof', (path, body) => (/consistency/.test(path) ? otherHash(body) : body), 'consistency'],
    [
      'no proof',
      (path, body) => (/consistency/.test(path) ? utf8Bytes('{"proof":[]}') : body),
      'consistency',
    ],
  ])('%s', async (_, changed, outcome) => {
    const size = await growTo(600)
    change = changed
    expect(await refusal('read', through, vkey, String(size - 200))).toBe(outcome)
    change = (_, body) => body
  })

  function swap(body: Uint8Array): Uint8Array {
    const [first, second, ...others] = parseEntryBundle(body)
    const frames = [second!, first!, ...others].map((entry) =>
      Buffer.concat([Buffer.of(entry.length >> 8, entry.length & 0xff), entry]),
    )
    return new Uint8Array(Buffer.concat(frames))
  }

  function otherHash(body: Uint8Array): Uint8Array {
    const answer = JSON.parse(new TextDecoder().decode(body)) as { proof: string[] }
    return utf8Bytes(JSON.stringify({ ...answer, proof: answer.proof.with(0, encodeBase64(EMPTY_ROOT)) }))
  }

  function resized(body: Uint8Array): Uint8Array {
    const lines = new TextDecoder().decode(body).split('\n')
    return utf8Bytes(lines.with(1, String(Number(lines[1]) - 1)).join('\n'))
  }

  it('a checkpoint with cosignatures of witnesses: the line of the log counts, the others are let be', async () => {
    const names = ['witness.example.com/w1', 'witness.example.org/w2']
    const witnesses: RunningWitness[] = []
    for (const [i, name] of names.entries())
      witnesses.push(await openWitness({ key: folder.path(`w${i}.key`), name, logs: [vkey] }))
    let note = await text('/log/checkpoint')
    for (const { url } of witnesses) {
      const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: requestOf(0, [], note) })
      expect(response.status).toBe(200)
      note += await response.text()
    }
    await Promise.all(witnesses.map((witness) => witness.close()))
    writeFileSync(folder.path('note'), note)
    expect(await accepted('open', folder.path('note'), vkey)).toMatchObject({ verified: 1, others: 3 })
    const [body, lines = ''] = note.split('\n\n')
    const others = lines.split('\n').filter((line) => !line.startsWith(`\u2014 ${at.identity}/log `))
    writeFileSync(folder.path('note'), `${body}\n\n${others.join('\n')}`)
    expect(await refusal('open', folder.path('note'), vkey)).toBe('note')
  })
})

interface Statement {
  readonly vkey: string
  readonly checkpoints: readonly string[]
  readonly roots: Readonly<Record<string, string>>
  readonly consistency: readonly { from: number; to: number; proof: string[] | null }[]
  readonly inclusion: readonly { index: number; size: number; proof: string[] | null }[]
}

const hashes = (proof: readonly string[] | null): Uint8Array[] =>
  (proof ?? []).map((hash) => decodeBase64(hash))

/** Every proof of the other implementation holds here, and none does with a hash changed. */
function checkStatement(
  { roots, consistency, inclusion }: Statement,
  leaf: (index: number) => Uint8Array,
): void {
  const root = (size: number): Uint8Array => decodeBase64(roots[size] ?? '')
  for (const { from, to, proof } of consistency) {
    const check = (by: Uint8Array[]): string =>
      codeOf(() => verifyConsistency(from, to, by, root(from), root(to)))
    expect(check(hashes(proof))).toBe('accepted')
    expect(check([EMPTY_ROOT, ...hashes(proof).slice(1)])).not.toBe('accepted')
  }
  for (const { index, size, proof } of inclusion) {
    const check = (hash: Uint8Array): string =>
      codeOf(() => verifyInclusion(index, size, hash, hashes(proof), root(size)))
    expect(check(leaf(index))).toBe('accepted')
    expect(check(EMPTY_ROOT)).toBe('proof-mismatch')
  }
}

const SIZES = [1, 2, 3, 7, 255, 256, 257, 511, 512, 513, 700]

describe.skipIf(!program)('a log made by golang.org/x/mod/sumdb', () => {
  const origin = 'example.com/foreign'
  let made: Statement
  beforeAll(async () => {
    made = (await accepted('make', folder.path('log'), origin, ...SIZES.map(String))) as unknown as Statement
  })

  it('opens here, at each of its sizes', () => {
    const key = parseVerifierKey(made.vkey)
    for (const [i, note] of made.checkpoints.entries()) {
      const { checkpoint } = openCheckpoint(note, { origin, key })
      expect(checkpoint).toEqual({ origin, size: SIZES[i], root: decodeBase64(made.roots[SIZES[i]!]!) })
    }
  })

  it('has the tiles and entries that a tree grown here has', () => {
    const size = SIZES.at(-1)!
    const nodes = new Map<string, Uint8Array>()
    let range = emptyRange()
    for (const tile of [...tilesForSize(size)].filter(({ level }) => level === 0)) {
      const bytes = readFileSync(folder.path(`log/${formatTilePath('entries', tile.n, tile.width)}`))
      for (const entry of parseEntryBundle(new Uint8Array(bytes)))
        range = appendLeaf(range, leafHash(entry), (level, n, hash) => nodes.set(`${level}/${n}`, hash))
    }
    expect(encodeBase64(rangeRoot(range))).toBe(made.roots[size])
    for (const { level, n, width } of tilesForSize(size)) {
      const bytes = readFileSync(folder.path(`log/${formatTilePath(level, n, width)}`))
      const tile = parseHashTile(new Uint8Array(bytes), width)
      expect(tile.every((hash, i) => equalBytes(hash, nodes.get(`${level * 8}/${n * 256 + i}`)!))).toBe(true)
    }
  })

  it('proves what it says', () => checkStatement(made, (index) => leafHash(utf8Bytes(`entry ${index}`))))

  it('is cosigned by our witness at each size, by its own proofs', async () => {
    const witness = await openWitness({
      key: folder.path('f.key'),
      name: 'witness.example.com/f',
      logs: [made.vkey],
    })
    let old = 0
    for (const [i, note] of made.checkpoints.entries()) {
      const { proof = [] } = made.consistency.find(({ from, to }) => from === old && to === SIZES[i]) ?? {}
      const body = requestOf(old, proof ?? [], note)
      const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body })
      expect(response.status).toBe(200)
      old = SIZES[i]!
      writeFileSync(folder.path('note'), note + (await response.text()))
      expect(await accepted('open', folder.path('note'), made.vkey)).toMatchObject({
        size: old,
        verified: 1,
        others: 1,
      })
    }
    await witness.close()
  })
})

const navigli = vectors('FiloSottile+sunlight/navigli2025h2/tile-0')
describe.skipIf(!program || !navigli)('the tiles of a real log, by both implementations', () => {
  const files = ['000', '001', '002', '003'].map((name) => `${navigli}/${name}`)
  const leaves = navigli
    ? files.flatMap((file) => parseHashTile(new Uint8Array(readFileSync(file)), 256))
    : []
  const sizes = [...SIZES, 1023, 1024]

  it('have the same roots, and the proofs of one hold in the other', async () => {
    const stated = (await accepted('prove', ...sizes.map(String), ...files)) as unknown as Statement
    const read = readerOver(leaves)
    for (const size of sizes) expect(encodeBase64(treeRoot(size, read))).toBe(stated.roots[size])
    expect(stated.consistency).toHaveLength((sizes.length * (sizes.length - 1)) / 2)
    checkStatement(stated, (index) => leaves[index]!)
  })
})
