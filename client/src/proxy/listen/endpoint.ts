import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isJsonObject, type JsonObject } from '../../core/index.js'
import {
  errorFrame,
  INVALID_PARAMS,
  modernEnvelope,
  typeFrame,
  type RequestFrame,
} from '../../guard/frames.js'
import type { GuardListener } from '../../guard/index.js'
import type { ProxyOptions } from '../open-server.js'
import type { Log } from '../target.js'
import { refuseRequest, type Gate } from './access.js'
import { readBody } from './body.js'
import { HEADER_MISMATCH, mismatchedHeader } from './headers.js'
import { Reply } from './reply.js'
import { Session } from './session.js'
import { SharedServer } from './shared.js'
import { upstreams, type OpenUpstream } from './upstream.js'

export interface EndpointOptions extends ProxyOptions {
  /** Milliseconds after which a session that nobody uses ends. Default 30 minutes. */
  readonly idleMs?: number
  /** Sessions of the 2025 era at once. Default 64. */
  readonly maxSessions?: number
  /** Who hears of one session's events, besides `onEvent`. */
  readonly listenerOf?: (session: string) => GuardListener
}

const MAX_SESSIONS = 64
const IDLE_MS = 30 * 60 * 1000
const SESSION = 'mcp-session-id'

/** Which request goes to which guarded server; HTTP is known here and in what it calls. */
export class Endpoint {
  readonly #gate: Gate
  readonly #log: Log
  readonly #idleMs: number
  readonly #maxSessions: number
  readonly #open: OpenUpstream
  readonly #sessions = new Map<string, Session>()
  /** Sessions whose server is being started count, too. */
  #opening = 0
  #shared: Promise<SharedServer> | undefined
  /** Servers take seconds to end. */
  readonly #ending = new Set<Promise<void>>()
  #closed = false
  readonly #timer: ReturnType<typeof setInterval>

  constructor(gate: Gate, options: EndpointOptions, log: Log) {
    this.#gate = gate
    this.#log = log
    this.#idleMs = options.idleMs ?? IDLE_MS
    this.#maxSessions = options.maxSessions ?? MAX_SESSIONS
    this.#open = upstreams(options, log, (session) => {
      const listener = options.listenerOf?.(session)
      return (event) => {
        options.onEvent?.(event)
        listener?.(event)
      }
    })
    this.#timer = setInterval(() => void this.#endIdle(), Math.min(this.#idleMs, 60_000))
    this.#timer.unref()
  }

  get size(): number {
    return this.#sessions.size + (this.#shared === undefined ? 0 : 1)
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const refusal = refuseRequest(request, this.#gate)
      if (refusal !== undefined) end(response, refusal.status, refusal.message, refusal.headers)
      else if (request.method === 'POST') await this.#post(request, response)
      else if (request.method === 'GET') this.#get(request, response)
      else if (request.method === 'DELETE') await this.#delete(request, response)
      else end(response, 405, 'POST, GET and DELETE are served', { allow: 'POST, GET, DELETE' })
    } catch (error) {
      this.#log(`a request failed: ${error instanceof Error ? error.message : String(error)}`)
      if (!response.headersSent) end(response, 500, 'the guard failed')
      else response.destroy()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    const shared = await this.#shared?.catch(() => undefined)
    const open = [...this.#sessions.values(), ...(shared === undefined ? [] : [shared])]
    this.#sessions.clear()
    for (const one of open) void this.#end(one)
    await Promise.allSettled(this.#ending)
  }

  /** Asked twice: it may close while a server is opened. */
  #isClosed(): boolean {
    return this.#closed
  }

  #end(server: Session | SharedServer): Promise<void> {
    const ended = server.close().finally(() => this.#ending.delete(ended))
    this.#ending.add(ended)
    return ended
  }

  async #post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    if (typeof body === 'number') {
      end(response, body, 'a POST carries one JSON-RPC message, 10 MB at most')
      return
    }
    const frame = typeFrame(body)
    if (frame === undefined) {
      end(response, 400, 'a POST carries one JSON-RPC message')
      return
    }
    if (frame.kind === 'request' && frame.method === 'initialize') {
      await this.#initialize(frame, body, request, response)
      return
    }
    if (frame.kind === 'request' && modernEnvelope(frame.params)) {
      await this.#askShared(frame, body, request, response)
      return
    }
    const session = this.#session(request, response)
    if (session === undefined) return
    if (frame.kind === 'request') {
      session.ask(frame, body, new Reply(response, takesEvents(request)))
      return
    }
    await session.tell(body)
    response.writeHead(202).end()
  }

  async #initialize(
    frame: RequestFrame,
    body: JsonObject,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (this.#isClosed() || this.#sessions.size + this.#opening >= this.#maxSessions) {
      end(response, 503, 'too many sessions, or the guard ends')
      return
    }
    const id = randomUUID()
    this.#opening++
    try {
      const opened = await this.#open(id)
      if (this.#isClosed()) {
        await opened.guarded.close()
        end(response, 503, 'the guard ends')
        return
      }
      this.#sessions.set(id, new Session(opened, Date.now, () => this.#sessions.delete(id)))
    } finally {
      this.#opening--
    }
    response.setHeader(SESSION, id)
    this.#sessions.get(id)?.ask(frame, body, new Reply(response, takesEvents(request)))
  }

  async #askShared(
    frame: RequestFrame,
    body: JsonObject,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (this.#isClosed()) {
      end(response, 503, 'the guard ends')
      return
    }
    const shared = await this.#sharedServer()
    const reply = new Reply(response, takesEvents(request))
    const header = mismatchedHeader(frame, request.headers, shared.params.of(toolOf(frame)))
    if (header === undefined) shared.ask(frame, body, reply)
    else reply.end(errorFrame(frame.id, HEADER_MISMATCH, `the header ${header} and the body differ`), 400)
  }

  #sharedServer(): Promise<SharedServer> {
    if (this.#shared !== undefined) return this.#shared
    // One that takes seconds to end must not take its successor with it: nobody would know of that any more.
    const forget = (): void => {
      if (this.#shared === opening) this.#shared = undefined
    }
    const opening = this.#open('shared').then((opened) => new SharedServer(opened, Date.now, forget))
    this.#shared = opening
    opening.catch(forget)
    return opening
  }

  #get(request: IncomingMessage, response: ServerResponse): void {
    if (!takesEvents(request)) {
      end(response, 406, 'a GET is for a stream of events')
      return
    }
    const session = this.#session(request, response)
    if (session === undefined) return
    const reply = new Reply(response, true)
    if (!session.listen(reply)) end(response, 409, 'this session has its stream already')
  }

  async #delete(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const session = this.#session(request, response)
    if (session === undefined) return
    this.#sessions.delete(String(request.headers[SESSION]))
    response.writeHead(204).end()
    await this.#end(session)
  }

  #session({ headers }: IncomingMessage, response: ServerResponse): Session | undefined {
    const id = headers[SESSION]
    const version = headers['mcp-protocol-version']
    const session = typeof id === 'string' ? this.#sessions.get(id) : undefined
    if (session !== undefined) return session
    if (typeof version === 'string' && version >= '2026')
      end(response, 400, 'a request of this protocol version says so in its _meta', {}, INVALID_PARAMS)
    else if (id === undefined) end(response, 400, 'a session begins with initialize')
    else end(response, 404, 'this session is over')
    return undefined
  }

  async #endIdle(): Promise<void> {
    for (const [id, session] of this.#sessions) {
      if (session.idleMs < this.#idleMs) continue
      this.#sessions.delete(id)
      await this.#end(session)
    }
    const shared = await this.#shared?.catch(() => undefined)
    if (shared === undefined || shared.idleMs < this.#idleMs) return
    this.#shared = undefined
    await this.#end(shared)
  }
}

function toolOf({ method, params }: RequestFrame): unknown {
  return method === 'tools/call' && isJsonObject(params) ? params['name'] : undefined
}

function takesEvents({ headers }: IncomingMessage): boolean {
  return /text\/event-stream|\*\/\*/i.test(headers.accept ?? '')
}

function end(
  response: ServerResponse,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
  code = -32000,
): void {
  // What is left of a body that was refused is not waited for.
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close', ...headers })
  response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }))
}
