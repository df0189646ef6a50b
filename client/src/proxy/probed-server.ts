import {
  errorFrame,
  modernEnvelope,
  typeFrame,
  type Frame,
  type FrameId,
  type RequestFrame,
  type ResponseFrame,
} from '../guard/frames.js'
import { NO_ERA_MEMORY, type EraMemory } from './era-memory.js'
import { ServerBase, type Server } from './server.js'

/** A server that has not answered by then speaks the 2025 era: SDK v2 takes it so, too. */
const PROBE_MS = 10_000
const METHOD_NOT_FOUND = -32601
/** MCP 2026-07-28: only a server of that era says which versions it knows. */
const UNSUPPORTED_VERSION = -32022

interface Probe {
  readonly id: FrameId
  /** Once it is known which era the server speaks. */
  readonly decided: Promise<void>
  readonly decide: () => void
  readonly server: Server
  readonly timer: ReturnType<typeof setTimeout>
}

/**
 * A server that is started by the first message for it. Hosts of both eras begin with `server/discover`, and servers of
 * 2025 that were asked that before `initialize` may end, or never recover: the process that was asked is kept only when it
 * turns out to speak 2026. Otherwise the host hears `Method not found`, and a fresh process gets its `initialize`.
 */
export class ProbedServer extends ServerBase {
  readonly #open: () => Server
  readonly #eras: EraMemory
  #server: Promise<Server> | undefined
  #current: Server | undefined
  #probe: Probe | undefined
  readonly #leaving = new Set<Promise<void>>()
  /** Not probed this time: a server that refuses the old era then was updated. */
  #believed = false
  #closing = false
  #closed = false

  constructor(open: () => Server, eras: EraMemory = NO_ERA_MEMORY) {
    super()
    this.#open = open
    this.#eras = eras
  }

  override start(): Promise<void> {
    return Promise.resolve()
  }

  override async send(message: object): Promise<void> {
    if (this.#isClosed()) throw new Error('the server is closed')
    const frame = typeFrame(message)
    // Others that speak the 2026 era come while the first one's question is open: its answer is for all of them.
    while (this.#probe !== undefined && isModernToo(frame, this.#probe)) await this.#probe.decided
    if (this.#isClosed()) throw new Error('the server is closed')
    if (this.#server === undefined && this.#probe === undefined && isProbe(frame)) {
      await this.#ask(frame.id, message)
      return
    }
    const probe = this.#probe
    if (probe !== undefined) {
      // The host no longer waits for the era: what it asks next is for a fresh process, what it only tells for none.
      this.#giveUp(probe, false)
      if (frame?.kind !== 'request') return
    }
    await (await this.#started()).send(message)
  }

  override async close(): Promise<void> {
    // Processes take seconds to end; none is started in the meantime.
    this.#closing = true
    const probe = this.#takeProbe()
    if (probe !== undefined) this.#leave(probe.server)
    await this.#server?.then((server) => server.close()).catch(() => undefined)
    await Promise.all(this.#leaving)
    this.#end()
  }

  override pause(): void {
    this.#current?.pause()
  }

  override resume(): void {
    this.#current?.resume()
  }

  /** Asked twice: it may close while a probe is awaited. */
  #isClosed(): boolean {
    return this.#closing || this.#closed
  }

  async #ask(id: FrameId, message: object): Promise<void> {
    if (this.#eras.isLegacy()) {
      this.#believed = true
      queueMicrotask(() => this.onmessage?.(notFound(id)))
      return
    }
    const server = this.#open()
    const timer = setTimeout(() => this.#giveUp(probe, true), PROBE_MS)
    let decide: () => void = () => undefined
    const decided = new Promise<void>((settle) => (decide = settle))
    const probe: Probe = { id, server, timer, decided, decide }
    this.#probe = probe
    server.onerror = (error) => this.onerror?.(error)
    server.onclose = () => this.#giveUp(probe, true)
    server.onmessage = (answer) => this.#judge(probe, answer)
    try {
      await server.start()
      if (this.#probe === probe) await server.send(message)
    } catch (error) {
      // There is no such program: the real start would fail as well.
      this.#takeProbe()
      throw error
    }
  }

  #judge(probe: Probe, answer: object): void {
    const frame = typeFrame(answer)
    // Nobody of the 2026 era speaks unasked.
    if (this.#probe !== probe || frame?.kind !== 'response' || frame.id !== probe.id) return
    if (!isModern(frame)) {
      this.#giveUp(probe, true)
      return
    }
    this.#takeProbe()
    this.#eras.note(false)
    this.#adopt(probe.server)
    this.#server = Promise.resolve(probe.server)
    this.onmessage?.(answer)
  }

  /** The process that was probed goes; the host hears that its server is of the 2025 era. */
  #giveUp(probe: Probe, isLegacy: boolean): void {
    if (this.#probe !== probe) return
    this.#takeProbe()
    if (isLegacy) this.#eras.note(true)
    this.#leave(probe.server)
    this.onmessage?.(notFound(probe.id))
  }

  #takeProbe(): Probe | undefined {
    const probe = this.#probe
    this.#probe = undefined
    clearTimeout(probe?.timer)
    probe?.decide()
    return probe
  }

  #leave(server: Server): void {
    server.onclose = server.onmessage = undefined
    const left = server
      .close()
      .catch((error: unknown) => this.onerror?.(new Error('a process did not end', { cause: error })))
    this.#leaving.add(left)
    void left.then(() => this.#leaving.delete(left))
  }

  #started(): Promise<Server> {
    this.#server ??= (async () => {
      const server = this.#open()
      this.#adopt(server)
      await server.start()
      return server
    })()
    return this.#server
  }

  #adopt(server: Server): void {
    this.#current = server
    server.onmessage = (message) => {
      if (this.#believed) this.#doubt(message)
      this.onmessage?.(message)
    }
    server.onerror = (error) => this.onerror?.(error)
    server.onclose = () => {
      // It ended by itself; what it started may still run.
      if (!this.#closing) this.#leave(server)
      this.#end()
    }
    server.onfull = () => this.onfull?.()
    server.ondrain = () => this.ondrain?.()
  }

  #doubt(message: object): void {
    const frame = typeFrame(message)
    if (frame?.kind !== 'response') return
    this.#believed = false
    if (frame.error !== undefined) this.#eras.note(false)
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.onclose?.()
  }
}

function isProbe(frame: Frame | undefined): frame is RequestFrame {
  return frame?.kind === 'request' && frame.method === 'server/discover'
}

/** Of a host that goes on in the 2026 era; one that asks without its envelope, or gives the probe up, waits no longer. */
function isModernToo(frame: Frame | undefined, { id }: Probe): boolean {
  if (frame?.kind === 'request') return modernEnvelope(frame.params) !== undefined
  return (
    frame?.kind === 'notification' &&
    frame.method === 'notifications/cancelled' &&
    frame.params?.['requestId'] !== id
  )
}

function isModern({ error }: ResponseFrame): boolean {
  return error === undefined || error.code === UNSUPPORTED_VERSION
}

function notFound(id: FrameId): object {
  return errorFrame(id, METHOD_NOT_FOUND, 'Method not found')
}
