import { typeFrame, type Frame } from '../../client/src/guard/frames.js'
import { ServerBase } from '../../client/src/proxy/server.js'

export type Message = Record<string, unknown> & { id?: string | number; method?: string }

/** A server played by the test. */
export class PlayedServer extends ServerBase {
  readonly received: Message[] = []
  state: 'new' | 'started' | 'closed' = 'new'
  readonly #answer: (message: Message, server: PlayedServer) => void

  constructor(answer: (message: Message, server: PlayedServer) => void = () => undefined) {
    super()
    this.#answer = answer
  }

  override start(): Promise<void> {
    this.state = 'started'
    return Promise.resolve()
  }

  override send(message: object): Promise<void> {
    this.received.push(message as Message)
    queueMicrotask(() => this.#answer(message as Message, this))
    return Promise.resolve()
  }

  override close(): Promise<void> {
    if (this.state !== 'closed') {
      this.state = 'closed'
      this.onclose?.()
    }
    return Promise.resolve()
  }

  say(message: object): void {
    this.onmessage?.(message)
  }
}

export function request(id: string | number, method: string, params?: object): Message {
  return { jsonrpc: '2.0', id, method, ...(params && { params }) }
}

export function asFrame(message: object | undefined): Frame | undefined {
  return typeFrame(message)
}
