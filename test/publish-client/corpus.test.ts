import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CountersignError, formatManifest, parseManifest, type JsonObject } from 'countersign/core'
import { buildManifest, compareWithManifest, type Capture, type Surface } from 'countersign/publish'
import { readFrame } from '../../client/src/publish/frames.js'
import type { Session } from '../../client/src/publish/session.js'
import { readSurface } from '../../client/src/publish/surface.js'
import { corpus, filesIn, readJson } from '../support/shared.js'

const folder = corpus('servers')
const about = {
  registry: 'registry-test',
  server: 'com.example/a',
  version: '1.0.0',
  role: 'publisher',
} as const
/** Servers whose schemas no SDK client accepts. */
const REFUSED = ['mcp-obsidian@1.0.0.json', 'modelcontextprotocol__server-gitlab@2025.4.25.json']

interface Captured {
  readonly raw: { readonly initialize: string; readonly tools_list: readonly string[] }
  readonly prompts?: JsonObject[]
  readonly resources?: JsonObject[]
  readonly resourceTemplates?: JsonObject[]
}

/** The captured server again: its own bytes for the handshake and the tools, what was kept of the other lists. */
function replay({ raw, prompts = [], resources = [], resourceTemplates = [] }: Captured): Session {
  const answers: Record<string, () => JsonObject> = {
    initialize: () => resultOf(raw.initialize),
    'tools/list': () => resultOf(raw.tools_list[0] ?? ''),
    'prompts/list': () => ({ prompts }),
    'resources/list': () => ({ resources }),
    'resources/templates/list': () => ({ resourceTemplates }),
  }
  return {
    request: async (method) => answers[method]?.() ?? {},
    notify: () => Promise.resolve(),
    takeChanged: () => new Set(),
    noise: 0,
    complaint: '',
    close: () => Promise.resolve(),
  }
}

function resultOf(line: string): JsonObject {
  const frame = readFrame(Buffer.from(line))
  if (frame === undefined) throw new Error('a captured line is no frame')
  return frame['result'] as JsonObject
}

function captureOf(surface: Surface): Capture {
  return { surface, slots: [], unstable: [], envNames: [] }
}

describe.skipIf(folder === undefined)('real servers, from the bytes they sent', () => {
  const files = folder === undefined ? [] : filesIn(folder, '.json')
  it('finds them', () => expect(files.length).toBeGreaterThan(100))

  it.concurrent.each(files.map((file) => [basename(file), file]))('%s', async (name, file) => {
    const session = replay(readJson(file) as Captured)
    const reading = readSurface(session, { startMs: 1, answerMs: 1 })
    if (REFUSED.includes(name)) {
      const error: unknown = await reading.catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(CountersignError)
      expect((error as CountersignError).detail['reason']).toBe('schema-root')
      return
    }
    const capture = captureOf(await reading)
    const manifest = parseManifest(formatManifest(buildManifest(capture, about)))
    expect(compareWithManifest(capture, manifest)).toEqual([])
  })
})
