import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { listenHostile, type RawAnswer } from './hostile-http.js'
import type { Era, HostileScript } from './hostile-script.js'
import { program } from './programs.js'

export interface HostileServer {
  readonly command: string
  /** Of a server of the 2025 era; one more argument, `modern`, makes it one of the 2026 era. */
  readonly args: string[]
  /** Serves the same script over Streamable HTTP. */
  readonly listen: (era: Era, raw?: RawAnswer) => Promise<URL>
  /** The names of the tools that calls reached. */
  readonly called: () => string[]
  /** The methods it was asked, in order. */
  readonly asked: () => string[]
}

type Answers = HostileScript['answers']

/** A hostile server ready to be started by any transport; its files go when the test ends. */
export function hostileServer(answers: Answers): HostileServer {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-hostile-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const script = join(folder, 'script.json')
  const log = join(folder, 'received.log')
  writeFileSync(log, '')
  const said: HostileScript = { answers: { ...HONEST_ANSWERS, ...answers } }
  writeFileSync(script, JSON.stringify(said))
  const received = (): { method?: string; params?: { name?: string } }[] =>
    readFileSync(log, 'utf8')
      .split('\n')
      // Behind the last end of a line there is nothing, or what is being written.
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { method?: string; params?: { name?: string } })
  const [command, ...args] = program('hostile-server.ts', script, log)
  return {
    ...{ command, args },
    listen: (era, raw) => listenHostile(said, era, (body) => appendFileSync(log, `${body}\n`), raw),
    called: () =>
      received().flatMap(({ method, params }) => (method === 'tools/call' ? [params?.name ?? ''] : [])),
    asked: () => received().flatMap(({ method }) => (method === undefined ? [] : [method])),
  }
}

export function result(value: object): string {
  return rawResult(JSON.stringify(value))
}

/** A result whose text is written as it stands, so that it can be what no serialiser writes. */
export function rawResult(text: string): string {
  return `{"jsonrpc":"2.0","id":$ID,"result":${text}}`
}

export function initializeResult(extra: object = {}): string {
  return result({
    protocolVersion: '2025-11-25',
    capabilities: { tools: {} },
    serverInfo: { name: 'weather', version: '1.0.0' },
    ...extra,
  })
}

/** One answer a page; all but the last carry a cursor. */
export function toolPages(...pages: readonly (readonly object[])[]): Answers {
  return Object.fromEntries(
    pages.map((tools, at) => {
      const key = at === 0 ? 'tools/list' : `tools/list?cursor=page-${at}`
      const next = at + 1 < pages.length ? { nextCursor: `page-${at + 1}` } : {}
      return [key, [[result({ tools, ...next })]]]
    }),
  )
}

export const TOOLS_CHANGED = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'

const HONEST_ANSWERS: Answers = {
  initialize: [[initializeResult()]],
  ping: [[result({})]],
  'tools/call': [
    [result({ content: [{ type: 'text', text: 'done' }], structuredContent: { summary: 'done' } })],
  ],
}
