// As little of a server as a guard can be measured before: it answers each call at once, and storms when told.
const TOOL = {
  name: 'echo',
  description: 'Gives back what it was given.',
  inputSchema: {
    type: 'object',
    properties: { text: { type: 'string' }, n: { type: 'integer' } },
    required: ['text'],
    additionalProperties: false,
  },
}
const STORM = { ...TOOL, name: 'storm', description: 'Says that its lists changed, as often as told.' }
const TOOLS = [TOOL, STORM]
const CHANGED = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n'
const INITIALIZED = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: { listChanged: true } },
  serverInfo: { name: 'echo', version: '1.0.0' },
}

interface Call {
  readonly name: string
  readonly arguments: { readonly text: string; readonly n?: number }
}

interface Request {
  readonly id?: number
  readonly method: string
  readonly params: Call
}

function call({ name, arguments: args }: Call): object {
  if (name === 'storm') process.stdout.write(CHANGED.repeat(args.n ?? 1))
  return { content: [{ type: 'text', text: args.text }] }
}

const ANSWERS: Readonly<Record<string, (params: Call) => object>> = {
  initialize: () => INITIALIZED,
  'tools/list': () => ({ tools: TOOLS }),
  'tools/call': call,
  ping: () => ({}),
}

function answer(line: string): string {
  const { id, method, params } = JSON.parse(line) as Request
  if (id === undefined) return ''
  const known = ANSWERS[method]
  const said = known ? { result: known(params) } : { error: { code: -32601, message: 'Method not found' } }
  return `${JSON.stringify({ jsonrpc: '2.0', id, ...said })}\n`
}

let rest = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', (text: string) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop() ?? ''
  process.stdout.write(lines.map((line) => (line === '' ? '' : answer(line))).join(''))
})
