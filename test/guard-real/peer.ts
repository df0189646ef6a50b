import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { isJsonObject, type JsonObject, type JsonValue } from 'countersign/core'

export interface Launch {
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** For long runs: nothing that was heard is kept. */
  readonly forgetful?: true
}

/** What answers the server's own requests; undefined: nobody does. */
export type Answerer = (request: JsonObject) => JsonObject | undefined

/** A host made of nothing but lines: it hears every frame as it was sent. */
export class Peer {
  /** Everything that was heard, in order. */
  readonly heard: JsonObject[] = []
  /** Lines that are no JSON object. */
  readonly noise: string[] = []
  readonly pid: number
  readonly ended: Promise<number | null>
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #waiting = new Map<number, (frame: JsonObject) => void>()
  #answer: Answerer = () => undefined
  #complaint = ''
  #rest = ''
  readonly #forgetful: boolean
  #lastId = 0

  constructor({ command: [program = '', ...args], env, cwd, forgetful }: Launch) {
    this.#forgetful = forgetful === true
    this.#child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...env },
      ...(cwd !== undefined && { cwd }),
    })
    this.pid = this.#child.pid ?? 0
    this.#child.stdout.setEncoding('utf8')
    this.#child.stdout.on('data', (text: string) => this.#take(text))
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#complaint = `${this.#complaint}${chunk.toString('utf8')}`.slice(-4000)
    })
    // Who writes to a process that is gone hears of it by its end.
    this.#child.stdin.on('error', () => undefined)
    this.ended = new Promise((resolve) => {
      this.#child.once('error', () => resolve(null))
      this.#child.once('close', (code) => resolve(code))
    })
  }

  /** The newest words of its stderr. */
  get complaint(): string {
    return this.#complaint
  }

  onRequest(answer: Answerer): void {
    this.#answer = answer
  }

  send(frame: JsonObject): void {
    this.#child.stdin.write(`${JSON.stringify(frame)}\n`)
  }

  notify(method: string, params: JsonObject = {}): void {
    this.send({ jsonrpc: '2.0', method, params })
  }

  /** The whole answer, error or not. @throws Error when the process ends first */
  async request(method: string, params: JsonObject = {}): Promise<JsonObject> {
    const id = ++this.#lastId
    const answered = new Promise<JsonObject>((resolve) => this.#waiting.set(id, resolve))
    this.send({ jsonrpc: '2.0', id, method, params })
    const gone = this.ended.then((code): never => {
      throw new Error(`${method}: the process ended with ${code}: ${this.#complaint}`)
    })
    return await Promise.race([answered, gone])
  }

  /** The 2025 handshake; gives what `initialize` answered. */
  async greet(capabilities: JsonObject = {}): Promise<JsonObject> {
    const clientInfo = { name: 'host', version: '1.0.0' }
    const answer = await this.request('initialize', {
      protocolVersion: '2025-11-25',
      capabilities,
      clientInfo,
    })
    this.notify('notifications/initialized')
    return answer
  }

  /** Ends as hosts end servers: by closing stdin. */
  async close(): Promise<number | null> {
    this.#child.stdin.end()
    return await this.ended
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  #take(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#read(line)
  }

  #read(line: string): void {
    if (line.trim() === '') return
    const frame = parsed(line)
    if (frame === undefined) {
      this.noise.push(line)
      return
    }
    if (!this.#forgetful) this.heard.push(frame)
    const { id, method } = frame
    if (typeof method === 'string') this.#answerTo(frame)
    else if (typeof id === 'number') this.#settle(id, frame)
  }

  #settle(id: number, frame: JsonObject): void {
    this.#waiting.get(id)?.(frame)
    this.#waiting.delete(id)
  }

  #answerTo(request: JsonObject): void {
    const { id } = request
    const result = id === undefined ? undefined : this.#answer(request)
    if (result !== undefined && id !== undefined) this.send({ jsonrpc: '2.0', id, result })
  }
}

function parsed(line: string): JsonObject | undefined {
  try {
    const value = JSON.parse(line) as JsonValue
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
