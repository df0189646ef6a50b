import type { ChildProcess } from 'node:child_process'
import spawn from 'cross-spawn'
import { typeFrame } from '../guard/frames.js'
import { OWN_GROUP, stopGroup } from '../node/process-group.js'
import { serverEnvironment } from '../publish/environment.js'
import { LineWriter } from './line-writer.js'
import { FAULT_SENTENCES, lostAnswer, messageReader, TOO_DEEP, type LineFault } from './message-lines.js'
import { ServerBase } from './server.js'
import type { CommandTarget } from './target.js'
import type { TopLevelId } from './top-level-id.js'

/** What a server that is gone left in its pipe is read for so long. */
const LAST_WORDS_MS = 1_000
/** Reports of lines that were dropped, for one server; it may print banners for ever. */
const MAX_REPORTS = 10

/**
 * A server of its own process group over stdio, one message a line. A line that is none is left out and reported: four of
 * ten real servers print something to stdout that is no message.
 */
export class StdioServer extends ServerBase {
  readonly #target: CommandTarget
  #child: ChildProcess | undefined
  #writer: LineWriter | undefined
  #reports = 0
  #closed = false

  constructor(target: CommandTarget) {
    super()
    this.#target = target
  }

  /** @throws Error when there is no such program */
  override async start(): Promise<void> {
    const child = startServer(this.#target)
    this.#child = child
    this.#writer = new LineWriter(child.stdin as NonNullable<typeof child.stdin>, {
      onFull: () => this.onfull?.(),
      onDrain: () => this.ondrain?.(),
      onFailure: (error) => this.#unheard(error),
    })
    this.#read(child)
    child.on('exit', () => setTimeout(() => this.#end(), LAST_WORDS_MS).unref())
    child.on('close', () => this.#end())
    await new Promise<void>((settle, fail) => child.once('spawn', settle).once('error', fail))
    child.on('error', (error) => this.onerror?.(error))
  }

  override send(message: object): Promise<void> {
    if (this.#writer === undefined || this.#closed)
      return Promise.reject(new Error('the server is not running'))
    if (!this.#writer.tryWrite(message)) this.#refuse(message)
    return Promise.resolve()
  }

  override async close(): Promise<void> {
    if (this.#child !== undefined) await stopGroup(this.#child)
    this.#end()
  }

  override pause(): void {
    this.#child?.stdout?.pause()
  }

  override resume(): void {
    this.#child?.stdout?.resume()
  }

  #read(child: ChildProcess): void {
    const reader = messageReader({
      onMessage: (message) => this.onmessage?.(message),
      onFault: (fault, id) => this.#lose(fault, id),
    })
    child.stdout?.on('data', (chunk: Buffer) => reader.push(chunk))
    child.stdout?.on('error', (error) => this.onerror?.(error))
  }

  /** What is sent from now on is lost: the server goes, as one that ended, after what it said last. */
  #unheard(error: Error): void {
    // EPIPE of a server that went away: its end says it.
    if (!isGone(error)) this.onerror?.(error)
    const stop = (): void => void this.close().catch((cause: unknown) => this.onerror?.(cause as Error))
    setTimeout(stop, LAST_WORDS_MS).unref()
  }

  #refuse(message: object): void {
    const frame = typeFrame(message)
    this.onerror?.(new Error(TOO_DEEP))
    if (frame?.kind === 'request') queueMicrotask(() => this.onmessage?.(lostAnswer(frame.id, TOO_DEEP)))
  }

  #lose(fault: LineFault, { id, hasMethod }: TopLevelId): void {
    this.#reports++
    if (this.#reports <= MAX_REPORTS) this.onerror?.(new Error(`left out ${FAULT_SENTENCES[fault]}`))
    if (this.#reports === MAX_REPORTS) this.onerror?.(new Error('and says nothing more of such lines'))
    const isAnswer = id !== undefined && !hasMethod
    if (isAnswer) this.onmessage?.(lostAnswer(id, `the server answered with ${FAULT_SENTENCES[fault]}`))
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.onclose?.()
  }
}

/** Its stderr is the guard's own. */
function startServer({ command, args, env, cwd }: CommandTarget): ChildProcess {
  return spawn(command, [...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...serverEnvironment([]).env, ...env },
    ...OWN_GROUP,
    ...(cwd !== undefined && { cwd }),
  })
}

export function isGone(error: Error): boolean {
  return 'code' in error && (error.code === 'EPIPE' || error.code === 'ECONNRESET')
}
