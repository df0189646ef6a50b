import { describe, expect, it } from 'vitest'
import {
  CountersignError,
  concatBytes,
  consistencyProof,
  formatTilePath,
  tilesForSize,
} from 'countersign/core'
import { lookupPath } from '../../client/src/static-api/paths.js'
import { staticApi, type ReadDocument } from '../../client/src/static-api.js'
import { proveAt } from '../../client/src/static-api/tiles.js'
import { openWorld, weather } from '../support/world.js'
import { byteLeaves, readerOver } from '../support/tlog.js'
import { codeOfAsync } from './support.js'

/** The documents of a registry, as a map. */
function over(files: ReadonlyMap<string, Uint8Array | string>): ReadDocument {
  return (path, maxBytes) => {
    const found = files.get(path)
    const bytes = found === undefined ? undefined : Buffer.from(found)
    return bytes !== undefined && bytes.length > maxBytes
      ? Promise.reject(new CountersignError('registry-error', 'too large'))
      : Promise.resolve(bytes && new Uint8Array(bytes))
  }
}

const read = readerOver(byteLeaves(70_000))

/** The tiles of one size, as a server keeps them. */
function tilesOf(size: number): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>()
  for (const { level, n, width } of tilesForSize(size)) {
    const hashes = Array.from({ length: width }, (_, i) => read(level * 8, n * 256 + i))
    files.set(`log/${formatTilePath(level, n, width)}`, concatBytes(...hashes))
  }
  return files
}

describe('proofs of tiles', () => {
  it.each([1, 2, 255, 256, 257, 300, 65_535, 65_536, 65_537, 70_000])(
    'are those of the tree of %i',
    async (size) => {
      const files = over(tilesOf(size))
      const sizes = [1, 2, 3, 255, 256, 257, 4096, 65_535, 65_536, 65_537, size - 1, size]
      const known = sizes.filter((one) => one >= 1 && one <= size)
      for (const to of known) {
        for (const from of known.filter((one) => one <= to)) {
          const proof = await proveAt(files, { prefix: 'log/', size }, from, to)
          expect(proof).toEqual(consistencyProof(from, to, read))
        }
      }
    },
  )

  it('read a full tile where the narrow one is gone, and refuse a missing or a short one', async () => {
    const files = tilesOf(300)
    const place = { prefix: 'log/', size: 290 }
    // Kept by who has gone on to 300, asked by who still reads the status of 290.
    const wider = new Map(files)
    expect(await codeOfAsync(() => proveAt(over(wider), place, 257, 290))).toBe('registry-error')
    const hashes = Array.from({ length: 256 }, (_, i) => read(0, 256 + i))
    wider.set(`log/${formatTilePath(0, 1)}`, concatBytes(...hashes))
    expect(await proveAt(over(wider), place, 257, 290)).toEqual(consistencyProof(257, 290, read))
    const short = new Map(files)
    short.set('log/tile/0/001.p/44', new Uint8Array(31))
    expect(await codeOfAsync(() => proveAt(over(short), { ...place, size: 300 }, 257, 300))).toBe(
      'registry-error',
    )
    const long = new Map(files)
    long.set('log/tile/0/001.p/44', new Uint8Array(256 * 32 + 1))
    expect(await codeOfAsync(() => proveAt(over(long), { ...place, size: 300 }, 257, 300))).toBe(
      'registry-error',
    )
  })
})

describe('look-ups of files', () => {
  const world = openWorld()
  const row = world.summary(world.release(world.enrol('com.acme'), weather()))
  const doc = (versions: readonly object[]): string =>
    JSON.stringify({ servers: [{ server: 'com.acme/weather', role: 'publisher', versions }] })
  const found = async (files: [string, string][], text: string): Promise<string[]> => {
    const api = staticApi(over(new Map(files)))
    return (await api.lookup({ package: text })).flatMap(({ versions }) =>
      versions.map(({ version }) => version),
    )
  }

  it('by name find every version, by version those that name it', async () => {
    const files: [string, string][] = [
      ['mirror.json', '{"servers":"all"}'],
      [
        lookupPath('package', 'npm:@acme/weather'),
        doc([
          { ...row, version: '2.0.0', packageVersions: ['2.0.0'] },
          { ...row, version: '1.0.0', packageVersions: ['1.0.0', '1.0.1'] },
          { ...row, version: '0.9.0' },
        ]),
      ],
    ]
    expect(await found(files, 'npm:@acme/weather')).toEqual(['2.0.0', '1.0.0', '0.9.0'])
    expect(await found(files, 'npm:@acme/weather@1.0.1')).toEqual(['1.0.0'])
    expect(await found(files, 'npm:@acme/weather@3.0.0')).toEqual([])
    expect(await found(files, 'npm:@acme/other')).toEqual([])
  })

  it('take all of the text for a name where an identifier has an @ of its own', async () => {
    const text = 'oci:ghcr.io/acme/weather@sha256:00'
    expect(await found([[lookupPath('package', text), doc([row])]], text)).toEqual([row.version])
  })

  it('spell a URL in one way', () => {
    expect(lookupPath('url', 'HTTPS://Example.com:443/mcp')).toBe(
      lookupPath('url', 'https://example.com/mcp'),
    )
    expect(lookupPath('url', 'https://example.com/mcp')).not.toBe(
      lookupPath('url', 'https://example.com/MCP'),
    )
    expect(lookupPath('url', 'https://{host}/mcp')).toMatch(/^v1\/lookup\/[0-9a-f]{64}$/)
  })

  it('do not pass for nothing in a mirror of some servers', async () => {
    const api = staticApi(over(new Map([['mirror.json', '{"servers":["com.acme/calc"]}']])))
    expect(await codeOfAsync(() => api.lookup({ package: 'npm:x' }))).toBe('registry-unreachable')
    expect(await codeOfAsync(() => api.fetchVersions('com.acme/weather'))).toBe('registry-unreachable')
    const whole = staticApi(over(new Map([['mirror.json', '{"servers":"all"}']])))
    expect(await whole.lookup({ package: 'npm:x' })).toEqual([])
    const missing = staticApi(over(new Map([['mirror.json', '{"servers":"all","leftOut":1}']])))
    expect(await codeOfAsync(() => missing.lookup({ package: 'npm:x' }))).toBe('registry-unreachable')
    // What is no mirror cannot say that nobody signed a package. A name that nobody knows is pinned by no host.
    const none = staticApi(over(new Map()))
    expect(await codeOfAsync(() => none.lookup({ package: 'npm:x' }))).toBe('registry-unreachable')
    expect(await none.fetchVersions('com.acme/weather')).toEqual([])
    const broken = staticApi(over(new Map([['mirror.json', 'x']])))
    expect(await codeOfAsync(() => broken.lookup({ package: 'npm:x' }))).toBe('registry-error')
  })

  it.each([
    'x',
    '{"servers":{}}',
    '{"servers":[{"server":"com.acme/weather","versions":[]}]}',
    '{"servers":[1]}',
  ])('of %s are refused', async (text) => {
    const files: [string, string][] = [[lookupPath('package', 'npm:x'), text]]
    expect(await codeOfAsync(() => found(files, 'npm:x'))).toBe('registry-error')
  })
})

describe('documents', () => {
  it('are asked for by what was looked at, never by a path of somebody else’s', async () => {
    const asked: string[] = []
    const api = staticApi((path) => {
      asked.push(path)
      return Promise.resolve(undefined)
    })
    expect(await codeOfAsync(() => api.fetchBundle('sha256:../../x'))).toBe('digest-invalid')
    expect(await codeOfAsync(() => api.fetchRevocations('../status'))).toBe('digest-invalid')
    expect(await codeOfAsync(() => api.fetchRoot(1.5))).toBe('decimal-invalid')
    expect(await codeOfAsync(() => api.fetchVersions('com.acme/..'))).toBe('name-invalid')
    expect(asked).toEqual([])
    expect(await api.fetchRoot(2)).toBeUndefined()
    expect(await codeOfAsync(() => api.fetchStatus())).toBe('registry-error')
    expect(asked).toEqual(['v1/root/2', 'v1/status'])
  })
})
