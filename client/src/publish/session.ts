import type { JsonObject } from '../core/index.js'

/** A server that was started or reached for a capture, and speaks. */
export interface Session {
  /** @throws CountersignError `capture-failed` */
  request(method: string, params: JsonObject, timeoutMs: number): Promise<JsonObject>
  notify(method: string): Promise<void>
  /** Which lists the server announced as changed since the last call. */
  takeChanged(): ReadonlySet<string>
  /** Lines that were no JSON-RPC message. */
  readonly noise: number
  /** The last lines of its stderr, as text; not to be printed without escaping. */
  readonly complaint: string
  /** Ends the server and what it started. Never rejects. */
  close(): Promise<void>
}
