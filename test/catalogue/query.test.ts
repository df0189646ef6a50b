import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatCursor,
  parseCursor,
  readListQuery,
  versionsQuery,
  type Filters,
} from '../../src/http/mcp-registry/query.js'
import type { CataloguePlace } from '../../src/storage/store.js'

const filters: fc.Arbitrary<Filters> = fc.record(
  {
    search: fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }),
    version: fc.string({ minLength: 1, maxLength: 60 }),
    since: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    deleted: fc.boolean(),
  },
  { requiredKeys: ['deleted'] },
)
const place: fc.Arbitrary<CataloguePlace> = fc.record(
  { server: fc.string({ minLength: 3, maxLength: 60 }), version: fc.string({ minLength: 1, maxLength: 60 }) },
  { requiredKeys: ['server'] },
)

const codeOf = (run: () => unknown): unknown => {
  try {
    run()
    return 'nothing thrown'
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

describe('a cursor', () => {
  it('keeps the filters and the place, in letters that need no encoding', () => {
    fc.assert(
      fc.property(filters, place, (given, after) => {
        const cursor = formatCursor(given, after)
        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/)
        expect(parseCursor(cursor)).toEqual({ filters: given, after })
      }),
    )
  })

  it('wins over what the query says beside it, but for the limit', () => {
    const cursor = formatCursor({ search: 'rain', deleted: false }, { server: 'com.example/a' })
    const read = readListQuery({
      cursor,
      search: 'sun',
      version: 'latest',
      updated_since: '2020-01-01T00:00:00Z',
      limit: '7',
    })
    expect(read).toEqual({
      filters: { search: 'rain', deleted: false },
      after: { server: 'com.example/a' },
      limit: 7,
    })
  })

  it('is refused in every other spelling', () => {
    const cursor = formatCursor(
      { search: 'rain', deleted: true },
      { server: 'com.example/a', version: '1.0.0' },
    )
    const forged = [
      JSON.stringify({}),
      JSON.stringify(['com.example/a']),
      JSON.stringify(['com.example/a', '1', null, null, null, 'yes']),
      '["com.example/a","1",null,null,1e400,true]',
      JSON.stringify(['com.example/a', '1', null, null, 0.5, true]),
      '["com.example/a", "1", null, null, null, true]',
      JSON.stringify(['com.example/a', '1', null, null, null, true, 'more']),
    ].map((text) => Buffer.from(text).toString('base64url'))
    for (const bad of [...forged, '', 'A', cursor.slice(0, -1), `${cursor}A`, `${cursor}==`, ` ${cursor}`]) {
      expect(
        codeOf(() => parseCursor(bad)),
        bad,
      ).toBe('request-invalid')
    }
  })
})

describe('a query', () => {
  it('asks for deleted entries when it asks what changed', () => {
    expect(readListQuery({}).filters).toEqual({ deleted: false })
    expect(readListQuery({ include_deleted: 'true' }).filters).toEqual({ deleted: true })
    expect(readListQuery({ updated_since: '2020-01-01T01:00:00+01:00' }).filters).toEqual({
      deleted: true,
      since: Date.UTC(2020, 0, 1),
    })
  })

  it('names a version with build metadata, and a time east of here, as forms write them', () => {
    expect(readListQuery({ version: '1.0.0 build.5' }).filters.version).toBe('1.0.0+build.5')
    expect(readListQuery({ updated_since: '2020-01-01T01:00:00 01:00' }).filters.since).toBe(
      Date.UTC(2020, 0, 1),
    )
    expect(() => readListQuery({ updated_since: '2020-01-01 01:00:00Z' })).toThrow()
  })

  it('says nothing where it is empty', () => {
    const empty = { cursor: '', limit: '', search: '', version: '', updated_since: '', include_deleted: '' }
    expect(readListQuery(empty)).toEqual(readListQuery({}))
    expect(versionsQuery.parse({ limit: '' })).toMatchObject(versionsQuery.parse({}))
  })

  it.each(['0', '101', '-1', '1.5', ' ', 'x', 'NaN', '1e999'])('has no limit of %j', (limit) => {
    expect(() => readListQuery({ limit })).toThrow()
    expect(() => versionsQuery.parse({ limit })).toThrow()
  })
})
