import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRequire } from 'node:module'
import type { JsonObject } from 'countersign/core'

const require = createRequire(import.meta.url)

/** A request of a script: a method and its params, or a tool and its arguments. */
export type Step = readonly [method: string, params?: JsonObject]

/** A server from npm, as its own package starts it, and what a host does with it; nothing that needs a network. */
export interface TenServer {
  readonly package: string
  readonly args: (folder: string) => readonly string[]
  readonly env?: (folder: string) => Readonly<Record<string, string>>
  readonly steps: (folder: string) => readonly Step[]
}

const call = (name: string, args: JsonObject = {}, more: JsonObject = {}): Step => [
  'tools/call',
  { name, arguments: args, ...more },
]
const LISTS: readonly Step[] = [
  ['tools/list'],
  ['prompts/list'],
  ['resources/templates/list'],
  ['resources/list'],
]

/** Three megabytes in which every line is another one. */
export const LARGE = Array.from({ length: 60_000 }, (_, line) => `${line}: ${'x'.repeat(44)}\n`).join('')

const EVERYTHING: readonly Step[] = [
  ...LISTS,
  call('echo', { message: 'Grüße, 世界 \u{1f600}' }),
  call('get-sum', { a: 0.1, b: 0.2 }),
  call('get-annotated-message', { messageType: 'error', includeImage: true }),
  call('get-structured-content', { location: 'Chicago' }),
  call('get-resource-links', { count: 4 }),
  call('get-tiny-image'),
  call('get-sum', { a: 'one' }),
  call('trigger-long-running-operation', { duration: 0.4, steps: 4 }, { _meta: { progressToken: 'p-1' } }),
  call('trigger-sampling-request', { prompt: 'How much is it?', maxTokens: 20 }),
  ['prompts/get', { name: 'simple-prompt' }],
  ['prompts/get', { name: 'args-prompt', arguments: { city: 'Chicago', state: 'Illinois' } }],
  [
    'completion/complete',
    {
      ref: { type: 'ref/prompt', name: 'completable-prompt' },
      argument: { name: 'department', value: 'E' },
    },
  ],
  ['resources/read', { uri: 'demo://resource/static/document/architecture.md' }],
  ['resources/read', { uri: 'demo://resource/nowhere' }],
  ['resources/subscribe', { uri: 'demo://resource/static/document/architecture.md' }],
  ['resources/unsubscribe', { uri: 'demo://resource/static/document/architecture.md' }],
  ['logging/setLevel', { level: 'error' }],
]

export const TEN: readonly TenServer[] = [
  {
    package: '@modelcontextprotocol/server-everything',
    args: () => ['stdio'],
    steps: () => EVERYTHING,
  },
  {
    package: '@modelcontextprotocol/server-filesystem',
    args: (folder) => [folder],
    steps: (folder) => [
      ...LISTS,
      call('read_text_file', { path: join(folder, 'large.txt') }),
      call('read_text_file', { path: join(folder, 'large.txt'), head: 3 }),
      call('read_media_file', { path: join(folder, 'large.txt') }),
      call('read_multiple_files', { paths: [join(folder, 'note.md'), join(folder, 'no-such-file')] }),
      call('write_file', { path: join(folder, 'written.txt'), content: 'one\ntwo\n' }),
      call('edit_file', {
        path: join(folder, 'written.txt'),
        edits: [{ oldText: 'two', newText: 'three' }],
      }),
      call('search_files', { path: folder, pattern: '**/*.md' }),
      call('read_text_file', { path: '/nowhere' }),
    ],
  },
  {
    package: '@modelcontextprotocol/server-memory',
    args: () => [],
    env: (folder) => ({ MEMORY_FILE_PATH: join(folder, 'memory.jsonl') }),
    steps: () => [
      ...LISTS,
      call('create_entities', { entities: [{ name: 'a', entityType: 'run', observations: ['one'] }] }),
      call('add_observations', { observations: [{ entityName: 'a', contents: ['two'] }] }),
      call('search_nodes', { query: 'two' }),
      call('read_graph'),
      call('delete_entities', { entityNames: ['a'] }),
    ],
  },
  {
    package: '@modelcontextprotocol/server-sequential-thinking',
    args: () => [],
    steps: () => [
      ...LISTS,
      call('sequentialthinking', {
        thought: 'first',
        nextThoughtNeeded: true,
        thoughtNumber: 1,
        totalThoughts: 2,
      }),
      call('sequentialthinking', { thought: 'no number' }),
    ],
  },
  {
    package: '@modelcontextprotocol/server-github',
    args: () => [],
    // Without its arguments a call is refused before it is sent anywhere.
    steps: () => [...LISTS, call('get_file_contents'), call('create_issue', { owner: 1 })],
  },
  {
    package: 'airtable-mcp-server',
    args: () => ['pat.none'],
    steps: () => [...LISTS, call('list_records'), call('update_records', { baseId: 7 })],
  },
  {
    package: 'time-mcp',
    args: () => [],
    steps: () => [
      ...LISTS,
      call('days_in_month', { date: '2028-02-01' }),
      call('get_week_year', { date: '2026-01-01' }),
      call('convert_time', {
        sourceTimezone: 'Europe/London',
        targetTimezone: 'Asia/Tokyo',
        time: '2026-03-23 12:30:00',
      }),
    ],
  },
  {
    package: 'mcp-obsidian',
    args: (folder) => [folder],
    steps: () => [
      ...LISTS,
      call('search_notes', { query: 'note' }),
      call('read_notes', { paths: ['note.md', 'missing.md'] }),
    ],
  },
  {
    package: 'mcp-server-code-runner',
    args: () => [],
    steps: () => [
      ...LISTS,
      call('run-code', { languageId: 'javascript', code: 'console.log("x".repeat(100000), 6 * 7)' }),
      call('run-code', { languageId: 'javascript', code: 'process.exit(3)' }),
    ],
  },
  {
    package: 'figma-developer-mcp',
    args: () => ['--stdio', '--no-telemetry', '--figma-api-key=none'],
    steps: () => [...LISTS, call('get_figma_data', { fileKey: 'not a key' }), call('download_figma_images')],
  },
]

/** The program that npm would start. Its folder is asked for, not the package: some do not export their package.json. */
export function programOf(name: string): string {
  const folder = (require.resolve.paths(name) ?? [])
    .map((path) => join(path, name))
    .find((path) => existsSync(join(path, 'package.json')))
  if (folder === undefined) throw new Error(`${name} is not installed`)
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>
  }
  return join(folder, typeof bin === 'string' ? bin : (Object.values(bin)[0] ?? ''))
}
