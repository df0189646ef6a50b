import type { InnerTransport } from '../guard/index.js'

/** The far end of the guard: a transport of ours, which can also be told to wait. */
export interface Server extends InnerTransport {
  send(message: object, options?: object): Promise<void>
  onmessage: ((message: object) => void) | undefined
  onclose: (() => void) | undefined
  onerror: ((error: Error) => void) | undefined
  /** It takes nothing more for now: read less of the host. */
  onfull: (() => void) | undefined
  ondrain: (() => void) | undefined
  /** The host takes nothing more for now. */
  pause(): void
  resume(): void
}

/** What every server has in common: the handlers that its owner sets. */
export abstract class ServerBase implements Server {
  onmessage: ((message: object) => void) | undefined = undefined
  onclose: (() => void) | undefined = undefined
  onerror: ((error: Error) => void) | undefined = undefined
  onfull: (() => void) | undefined = undefined
  ondrain: (() => void) | undefined = undefined

  abstract start(): Promise<void>
  abstract send(message: object, options?: object): Promise<void>
  abstract close(): Promise<void>
  pause(): void {}
  resume(): void {}
}
