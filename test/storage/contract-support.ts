import { createHash } from 'node:crypto'
import { afterEach, beforeEach } from 'vitest'
import type { AccountRow, LogState, ManifestRow, NewBatch, Store } from '../../src/storage/store.js'

/** Opens an empty store; `now` is POSIX milliseconds. */
export type StoreFactory = (now: () => number) => Promise<Store>

export type Digest = `sha256:${string}`

export const START = 1_700_000_000_000

export const hash = (text: string): Uint8Array => new Uint8Array(createHash('sha256').update(text).digest())
export const digest = (text: string): Digest => `sha256:${createHash('sha256').update(text).digest('hex')}`

export const emptyState: LogState = {
  origin: 'registry-a/log',
  identity: 'registry-a',
  base: 0,
  size: 0,
  root: hash(''),
  note: 'note 0',
  publishedSize: 0,
  publishedNote: 'note 0',
}

export const person: AccountRow = {
  account: 'author',
  kind: 'person',
  login: 'author@example.com',
  roles: ['publisher', 'admin'],
  disabled: false,
  passwordHash: '$h',
  createdAt: START,
}

export const service: AccountRow = {
  account: 'ci',
  kind: 'service',
  roles: ['publisher'],
  disabled: false,
  owner: 'author',
  createdAt: START,
}

/** As it is published: its first line says of which log it is. */
export const published = (text: string, origin = emptyState.origin): string => `${origin}\n${text}\n`

/** A batch of `count` entries after a log of `size`, as far as a store looks at it. */
export function batchOf(size: number, note: string, count: number): NewBatch {
  const entries = Array.from({ length: count }, (_, i) => ({
    index: size + i,
    data: `entry ${size + i}`,
    leafHash: hash(`leaf ${size + i}`),
  }))
  const end = size + count
  return {
    expected: { size, note },
    entries,
    tiles: [],
    size: end,
    root: hash(`root ${end}`),
    note: `note ${end}`,
  }
}

export function manifestRow(name: string, version: string, publishIndex: number): ManifestRow {
  return {
    manifest: digest(`${name}@${version}`),
    envelopeDigest: digest(`envelope of ${name}@${version}`),
    envelope: `header.${name}.${version}`,
    server: `com.example/${name}`,
    folded: `com.example/${name}`.toLowerCase(),
    namespace: 'com.example',
    version,
    role: 'publisher',
    kid: 'k'.repeat(43),
    account: 'author',
    status: 'pending',
    publishIndex,
    findings: '[]',
    submittedAt: 1_700_000_000_000,
    // The store says so by its own clock, which stands here where tests begin.
    updatedAt: START,
    toolDigests: [{ name: 'forecast', digest: digest('forecast') }],
    lookups: [`npm:${name}`, `npm:${name}@${version}`],
  }
}

/** A fresh store for each test of the block, and a clock that the test sets. */
export function freshStore(open: StoreFactory): { readonly store: () => Store; clock: number } {
  let store: Store
  const fresh = { store: () => store, clock: START }
  beforeEach(async () => {
    fresh.clock = START
    store = await open(() => fresh.clock)
  })
  afterEach(() => store.close())
  return fresh
}
