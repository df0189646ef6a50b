import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, onTestFinished } from 'vitest'
import type { JsonObject } from 'countersign/core'
import type { CallInfo, GuardEvent } from '../../client/src/guard/index.js'
import type { RecordsOptions } from '../../client/src/records/options.js'
import { openRecordsOn } from '../../client/src/records/records.js'
import type { LineSink } from '../../client/src/records/sink.js'
import type { Review, ReviewedTool } from '../../client/src/review.js'

export type Line = Record<string, unknown>

const schemaFile = fileURLToPath(new URL('../../docs/call-record.schema.json', import.meta.url))
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(schemaFile, 'utf8')) as object,
)

/** The records of a text, each held against the documented schema. */
export function recordsOf(text: string): Line[] {
  expect(text === '' || text.endsWith('\n')).toBe(true)
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line) => {
    const record = JSON.parse(line) as Line
    expect({ record, errors: validate(record) ? [] : validate.errors }).toEqual({ record, errors: [] })
    return record
  })
}

export function isRecord(value: unknown): boolean {
  return validate(value)
}

export function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-records-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A sink that keeps what it gets. */
export function keepingSink(): LineSink & { readonly text: () => string } {
  let text = ''
  return {
    text: () => text,
    append: (lines) => {
      text += lines.join('')
      return Promise.resolve(lines.length)
    },
    close: () => Promise.resolve(),
  }
}

export const NOW = Date.parse('2026-03-01T12:00:00.000Z')

/** Records of one connection, and what was written once it is closed. */
export function openPad(options: Partial<RecordsOptions> = {}) {
  const sink = keepingSink()
  const records = openRecordsOn(sink, { now: () => NOW, ...options })
  const tell = records.connection({ slot: 'npx weather', session: 'one' })
  return {
    records,
    tell,
    written: async (): Promise<Line[]> => {
      await records.close()
      return recordsOf(sink.text())
    },
    text: sink.text,
  }
}

export const DIGEST = `sha256:${'1'.repeat(64)}` as const
export const MANIFEST = `sha256:${'2'.repeat(64)}` as const

export function signed(name: string, properties: JsonObject = {}): ReviewedTool {
  const definition = { name, inputSchema: { type: 'object', properties } }
  return { name, digest: DIGEST, dialect: false, signed: JSON.stringify(definition) }
}

export function reviewOf(allowed: readonly ReviewedTool[], change: Partial<Review> = {}): Review {
  return {
    allowed,
    prompts: [],
    resourceTemplates: [],
    withheld: [],
    mode: 'enforce',
    verdict: 'verified',
    firstUse: false,
    manifest: { server: 'com.example/weather', version: '1.2.3', digest: MANIFEST },
    ...change,
  } as unknown as Review
}

export function listed(review: Review): GuardEvent {
  return { type: 'listed', list: 'tools', review, withheld: review.withheld }
}

let calls = 0

export function callOf(change: Partial<CallInfo> = {}): CallInfo {
  return {
    n: ++calls,
    method: 'tools/call',
    name: 'get_forecast',
    arguments: undefined,
    meta: undefined,
    ...change,
  }
}

/** Everything a guard tells of a call that went well. */
export function goodCall(call: CallInfo): GuardEvent[] {
  return [
    { type: 'call-begun', call },
    { type: 'call-allowed', call, tool: call.name, digest: DIGEST, manifest: MANIFEST },
    { type: 'call-ended', call, status: 'ok', latencyMs: 1.23456 },
  ]
}
