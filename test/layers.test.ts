import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { offences, reachable, readTree, type Room, type Tree } from './support/imports.js'

// Arrows point down: every import of the sources is held against these tables.

const NONE = /^$/
const NODE = /^node:/

/** client/src, from the bottom up. What a browser loads ends with `index`; nothing above it is in there. */
const CLIENT: readonly Room[] = [
  room('core', /^core\//, [], /^@noble\//),
  room('gates', /^gates\//, ['core'], NONE),
  room('change', /^change(\.ts|\/)/, ['gates', 'core'], NONE),
  room('verdict', /^verdict\.ts$/, ['core'], NONE),
  room('verify', /^verify(\.ts|\/)/, ['verdict', 'core'], NONE),
  room(
    'material',
    /^(freshness|memory|consent|registry-api|static-api|trust|offline|host-policy)(\.ts$|\/)/,
    ['verdict', 'change', 'core'],
    NONE,
  ),
  room('resolve', /^resolve(\.ts|\/)/, ['material', 'verify', 'verdict', 'core'], NONE),
  room(
    'review',
    /^(review|host|hosts)(\.ts|\/)/,
    ['resolve', 'material', 'verify', 'verdict', 'change', 'gates', 'core'],
    NONE,
  ),
  room('guard', /^guard\//, ['review', 'material', 'verdict', 'gates', 'core'], NONE),
  room('validate', /^validate(\.ts|\/)/, ['guard', 'gates', 'core'], /^(ajv|re2js)(\/|$)/),
  room('tokens', /^tokens(\.ts|\/)/, ['guard', 'core'], /^(jose$|oauth4webapi$)/),
  room('index', /^index\.ts$/, ['guard', 'review', 'material', 'verify', 'verdict', 'change', 'core'], NONE),
  room('node', /^node\//, ['review', 'material', 'verify', 'verdict', 'core'], NODE),
  room(
    'records',
    /^records(\.ts|\/)/,
    ['node', 'guard', 'review', 'material', 'verdict', 'change', 'gates', 'core'],
    NODE,
  ),
  room('witness', /^witness\//, ['node', 'core'], /^(node:|node-sqlite3-wasm$)/),
  room('mirror', /^mirror\//, ['node', 'resolve', 'material', 'verify', 'verdict', 'core'], NODE),
  room(
    'publish',
    /^publish\//,
    ['node', 'material', 'verdict', 'gates', 'change', 'core'],
    /^(node:|cross-spawn$|@modelcontextprotocol\/client$)/,
  ),
  room(
    'proxy',
    /^proxy\//,
    [
      'records',
      'tokens',
      'validate',
      'guard',
      'publish',
      'node',
      'review',
      'material',
      'verdict',
      'gates',
      'core',
    ],
    /^(node:|cross-spawn$|@modelcontextprotocol\/)/,
  ),
  room(
    'cli',
    /^cli\//,
    [
      'proxy',
      'records',
      'tokens',
      'validate',
      'publish',
      'witness',
      'mirror',
      'node',
      'guard',
      'review',
      'resolve',
      'material',
      'verify',
      'verdict',
      'change',
      'gates',
      'core',
    ],
    /^(node:|commander$|oauth4webapi$|@clack\/prompts$)/,
  ),
]

/** src, from the bottom up. Of the client every room has the protocol and the rules, and nothing else. */
const REGISTRY: readonly Room[] = [
  room('config', /^config(\.ts|\/)/, [], packages('node:')),
  room('storage', /^storage\//, [], packages('node:|better-sqlite3$|pg$|rate-limiter-flexible$')),
  room('net', /^net\//, [], packages('node:|ipaddr.js$')),
  room('log', /^log\//, ['net', 'storage'], packages('node:|pino$')),
  room('auth', /^auth\//, ['net', 'storage'], packages('node:|jose$|oidc-provider$|@node-rs/argon2$|pino$')),
  room('judge', /^judge\//, [], packages('node:')),
  room('publishers', /^publishers\//, ['judge', 'auth', 'log', 'net', 'storage'], packages('node:|jose$')),
  room('review', /^review\//, ['publishers', 'judge', 'auth', 'log', 'storage'], packages('node:')),
  room(
    'publish',
    /^publish\//,
    ['review', 'publishers', 'judge', 'auth', 'log', 'storage'],
    packages('node:'),
  ),
  room('webhooks', /^webhooks\//, ['publishers', 'auth', 'log', 'net', 'storage'], packages('node:|pino$')),
  room(
    'console',
    /^console\//,
    ['publish', 'review', 'publishers', 'auth', 'log', 'storage'],
    packages('node:|express$'),
  ),
  room(
    'http',
    /^http\//,
    [
      'console',
      'webhooks',
      'publish',
      'review',
      'publishers',
      'judge',
      'auth',
      'log',
      'net',
      'storage',
      'config',
    ],
    packages('node:|express$|helmet$|zod$|pino$|compression$|prom-client$|swagger-ui-dist$'),
  ),
  room(
    'registry',
    /^registry(\.ts|\/)/,
    [
      'http',
      'console',
      'webhooks',
      'publish',
      'review',
      'publishers',
      'judge',
      'auth',
      'log',
      'net',
      'storage',
      'config',
    ],
    packages('node:|pino$'),
  ),
  room(
    'main',
    /^main\.ts$/,
    ['registry', 'http', 'log', 'storage', 'config'],
    packages('node:|dotenv$|pino$'),
  ),
]

function room(name: string, holds: RegExp, rooms: readonly string[], allowed: RegExp): Room {
  return { name, holds, rooms, packages: allowed }
}

function packages(own: string): RegExp {
  return new RegExp(`^(${own}|countersign/(core|gates|change)$)`)
}

const root = fileURLToPath(new URL('..', import.meta.url))
const client = readTree(join(root, 'client/src'))
const registry = readTree(join(root, 'src'))

describe('arrows point down', () => {
  it('in the client', () => {
    expect(client.size).toBeGreaterThan(20)
    expect(offences(client, CLIENT)).toEqual([])
  })

  it('in the registry', () => {
    expect(registry.size).toBeGreaterThan(20)
    expect(offences(registry, REGISTRY)).toEqual([])
  })

  it('and the tables have no way back up', () => {
    for (const rooms of [CLIENT, REGISTRY]) {
      const order = rooms.map(({ name }) => name)
      for (const { name, rooms: below } of rooms) {
        for (const other of below) {
          expect(order, name).toContain(other)
          expect(order.indexOf(other), `${name} -> ${other}`).toBeLessThan(order.indexOf(name))
        }
      }
    }
  })
})

describe('what a browser loads', () => {
  const entries = ['index.ts', 'verify.ts', 'core/index.ts', 'gates/index.ts', 'change.ts', 'change/index.ts']
  // The public entries for change classes exist as soon as their sources do.
  const present = entries.filter((entry) => client.has(entry) || !entry.startsWith('change'))

  it.each(present)('%s reaches no node: module and no package but @noble', (entry) => {
    expect(client.has(entry)).toBe(true)
    const reached = reachable(client, entry)
    expect(reached.filter((line) => !/ @noble\/(ed25519|hashes)(\/|$)/.test(line))).toEqual([])
  })
})

describe('the check itself catches', () => {
  const honest: Tree = new Map([
    ['core/index.ts', "import { sha256 } from '@noble/hashes/sha2.js'"],
    ['gates/index.ts', "import type { Manifest } from '../core/index.js'"],
    ['host.ts', "import { refuse } from './core/index.js'"],
    ['guard/index.ts', "import type { Host } from '../host.js'"],
    ['cli/main.ts', "import { Command } from 'commander'\nconst load = () => import('../guard/index.js')"],
  ])

  it('nothing in an honest tree', () => {
    expect(offences(honest, CLIENT)).toEqual([])
  })

  it.each([
    ['core/planted.ts', "import { openHost } from '../host.js'", 'core may not know review'],
    ['core/planted.ts', "import type { Host } from '../host.js'", 'core may not know review'],
    ['core/planted.ts', "export * from '../gates/index.js'", 'core may not know gates'],
    ['core/planted.ts', "const load = () => import('node:fs')", 'not a package of this room'],
    ['core/planted.ts', "type Stats = import('node:fs').Stats", 'not a package of this room'],
    ['core/planted.ts', "const name = './x.js'\nvoid import(name)", 'not a package of this room'],
    ['gates/planted.ts', "\n\nimport { z } from 'zod'", 'gates/planted.ts:3 (gates) imports zod'],
    ['guard/planted.ts', "import '../cli/main.js'", 'guard may not know cli'],
    ['guard/planted.ts', "import '../../../src/log/ledger.js'", 'no such source'],
    ['planted.ts', '', 'stands in no room'],
  ])('%s: %s', (file, text, message) => {
    const found = offences(new Map([...honest, [file, text]]), CLIENT)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(message)
    expect(found[0]?.startsWith(file)).toBe(true)
  })

  it('a registry room that takes more of the client than it may', () => {
    const bad = new Map([
      ['log/planted.ts', "import { openHost } from 'countersign'\nimport '../http/app.js'"],
    ])
    expect(offences(bad, REGISTRY)).toHaveLength(2)
    const fine = new Map([['log/planted.ts', "import { parseEvent } from 'countersign/core'"]])
    expect(offences(fine, REGISTRY)).toEqual([])
  })

  it('a node: module that a browser would load, however far down', () => {
    const tree = new Map([
      ['index.ts', "export * from './a.js'\nimport type { Stats } from 'node:fs'"],
      ['a.ts', "import { b } from './b.js'"],
      ['b.ts', "import { readFileSync } from 'node:fs'\nimport { a } from './a.js'"],
    ])
    expect(reachable(tree, 'index.ts')).toEqual(['b.ts:1 node:fs'])
  })
})
