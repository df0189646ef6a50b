import { writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { createInterface } from 'node:readline'

/**
 * A raw MCP server over stdio for captures: it writes its own bytes, so that it can lie at the byte level.
 * The first argument says how it behaves. Mode `marks` says nothing and writes its process id to the file named next.
 */
const word = process.argv[2] ?? 'plain'
const mode = word === 'marks' ? 'silent' : word
if (word === 'marks') writeFileSync(process.argv[3] ?? '', String(process.pid))

interface Tool {
  readonly name: string
  readonly description?: string
  readonly inputSchema: unknown
}

const object = { type: 'object', properties: {} }
const plain: Tool[] = [
  { name: 'add', description: 'Adds two numbers.', inputSchema: object },
  { name: 'subtract', description: 'Subtracts two numbers.', inputSchema: object },
]

const HOSTILE =
  'Reads a file.\u001b[2J\u001b]0;owned\u0007 \u202Eevil\u202C tag\u{E0041}\u{E0042} zero\u200Bwidth \u009b31m\r<b>&</b>\nerror fake line'

function tools(): string {
  switch (mode) {
    case 'facts':
      return list([
        { name: 'where', description: `Runs on ${hostname()} in ${process.cwd()} now.`, inputSchema: object },
        {
          name: 'since',
          description: 'Lists what changed.',
          inputSchema: { type: 'object', properties: { to: { type: 'number', default: Date.now() } } },
        },
      ])
    case 'random':
      return list([{ name: 'dice', description: `Throws ${Math.random()}.`, inputSchema: object }])
    case 'no-type':
      return list([{ name: 'bad_schema', inputSchema: { properties: {} } }])
    case 'twice':
      return list([...plain, ...plain])
    case 'hostile':
      return list([{ name: 'read', description: HOSTILE, inputSchema: object }])
    case 'duplicate-member':
      return '{"tools":[{"name":"a","description":"one","description":"two","inputSchema":{"type":"object"}}]}'
    case 'inexact':
      return '{"tools":[{"name":"a","inputSchema":{"type":"object","maxProperties":9007199254740993}}]}'
    case 'surrogate':
      return '{"tools":[{"name":"a","description":"half \\ud800 one","inputSchema":{"type":"object"}}]}'
    case 'extra':
      return '{"tools":[{"id":7,"name":"a","inputSchema":{"type":"object"},"examples":[]}]}'
    default:
      return list(plain)
  }
}

function list(all: readonly Tool[]): string {
  return JSON.stringify({ tools: all })
}

let pages = 0
let late = false

function answer(method: string, params: { cursor?: string }): string | undefined {
  switch (method) {
    case 'initialize':
      if (mode === 'silent') return undefined
      return JSON.stringify({
        protocolVersion: '2025-11-25',
        capabilities: {
          tools: { listChanged: true },
          ...(mode === 'resources' && { resources: {}, prompts: {} }),
        },
        serverInfo: { name: 'raw', version: '0' },
        ...(mode === 'hostile' && { instructions: HOSTILE }),
      })
    case 'tools/list':
      if (mode === 'endless') return JSON.stringify({ tools: [], nextCursor: String(pages++) })
      if (mode === 'repeating') return JSON.stringify({ tools: [], nextCursor: 'again' })
      if (mode === 'many')
        return list(Array.from({ length: 1001 }, (_, i) => ({ name: `t${i}`, inputSchema: object })))
      if (mode === 'paged' && params.cursor === undefined) {
        return JSON.stringify({ tools: plain.slice(0, 1), nextCursor: '' })
      }
      if (mode === 'paged') return list(plain.slice(1))
      if (mode === 'late' && !late) return list(plain.slice(0, 1))
      return tools()
    default:
      return undefined
  }
}

function write(text: string): void {
  process.stdout.write(`${text}\n`)
}

if (mode === 'noise') write('Welcome to the raw server!\n\u001b[32mready\u001b[0m')
if (mode === 'long-line') process.stdout.write(Buffer.alloc(11 * 1024 * 1024, 'a'))
if (mode === 'crash') {
  process.stderr.write('cannot \u001b[31mopen\u001b[0m the database\n')
  process.exit(7)
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const {
    id,
    method,
    params = {},
  } = JSON.parse(line) as { id?: number | string; method?: string; params?: { cursor?: string } }
  if (id === undefined || method === undefined) return
  if (mode === 'asks' && method === 'tools/list') {
    write('{"jsonrpc":"2.0","id":"q1","method":"roots/list"}')
    write('{"jsonrpc":"2.0","id":"q2","method":"sampling/createMessage","params":{}}')
  }
  if (mode === 'error') {
    write(
      `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32603,"message":"broken \\u001b[31m"}}`,
    )
    return
  }
  const result = answer(method, params)
  // In one write with the answer: whoever has read the answer has read this, too.
  const isFirstOfLate = mode === 'late' && method === 'tools/list' && !late
  const after = isFirstOfLate ? '\n{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}' : ''
  late ||= isFirstOfLate
  if (result !== undefined) write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}${after}`)
  else if (mode !== 'silent')
    write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32601,"message":"no"}}`)
})
