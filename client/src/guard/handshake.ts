import { isJsonObject, type JsonObject } from '../core/index.js'
import { errorFrame, INTERNAL_ERROR, resultFrame, type RequestFrame, type RpcError } from './frames.js'
import { isLarger } from './measure.js'
import type { Refusal } from './refusal.js'
import { rewriteHandshake } from './rewrite.js'
import { toVerdict } from './surface.js'
import type { InnerTransport } from './transport.js'
import type { Session } from './session.js'

const MAX_HELD = 1000
/** Of one frame that is held. */
const MAX_HELD_SIZE = 32 * 1024

/**
 * `initialize` and `server/discover`. Instructions are judged together with the tools, so that one version of the
 * server speaks for both; the host learns them only as signed.
 */
export class Handshake {
  readonly #session: Session
  readonly #inner: InnerTransport
  #held: { message: object; extra: object | undefined }[] | undefined
  #initializedAhead = false

  constructor(session: Session, inner: InnerTransport) {
    this.#session = session
    this.#inner = inner
  }

  /** What the host gets of the server's answer. Without instructions there is nothing to wait for. */
  complete(request: RequestFrame, result: JsonObject, extra?: object): void {
    const { verifier, staples } = this.#session
    staples.note(result)
    const { capabilities, instructions } = result
    verifier.capabilities = isJsonObject(capabilities) ? capabilities : {}
    verifier.instructions = typeof instructions === 'string' ? instructions : undefined
    if (verifier.instructions === undefined) this.#pass(request, result, undefined, extra)
    else void this.#completeVerified(request, result, extra)
  }

  /** The server's error without its words: the code, and the versions that the host needs for its next try. */
  fail(request: RequestFrame, error: RpcError | undefined, message: object, extra?: object): void {
    const { verifier, wire } = this.#session
    const code = error?.code ?? INTERNAL_ERROR
    const versions = versionsIn(error?.data)
    const plain = errorFrame(request.id, code, `${request.method} failed at the server`, versions)
    wire.toHost(verifier.observing ? message : plain, extra)
  }

  async #completeVerified(request: RequestFrame, result: JsonObject, extra?: object): Promise<void> {
    const legacy = request.method === 'initialize'
    if (legacy) this.#held = []
    this.#pass(request, result, await this.#verifyInstructions(legacy, result), extra)
  }

  /** The host's own `notifications/initialized`; true when the server has been told already. */
  hostInitialized(): boolean {
    const ahead = this.#initializedAhead
    const held = this.#held ?? []
    this.#initializedAhead = false
    this.#held = undefined
    for (const { message, extra } of held) this.#session.wire.toHost(message, extra)
    return ahead
  }

  /** Until the host is initialised, what the server sends ahead of that waits. False: too much of it. */
  toHostInTurn(message: object, extra?: object): boolean {
    if (this.#held === undefined) this.#session.wire.toHost(message, extra)
    else if (this.#held.length >= MAX_HELD || isLarger(message, MAX_HELD_SIZE)) return false
    else this.#held.push({ message, extra })
    return true
  }

  #pass(request: RequestFrame, result: JsonObject, signed: string | undefined, extra?: object): void {
    const { verifier, settings, wire } = this.#session
    const passed = verifier.observing ? result : rewriteHandshake(result, signed, settings.recheckMs)
    wire.toHost(resultFrame(request.id, passed), extra)
  }

  async #verifyInstructions(legacy: boolean, result: JsonObject): Promise<string | undefined> {
    try {
      if (legacy) await this.#initializeAhead(result)
      const { review } = await this.#session.verifier.tools.verify()
      if (review.instructions !== undefined) return review.instructions
      const withheld = review.withheld.find((one) => one.kind === 'instructions') ?? review.withheld[0]
      this.#withheld(withheld ?? { code: 'instructions-changed', detail: {} })
    } catch (error) {
      this.#withheld(toVerdict(error))
    }
    return undefined
  }

  #withheld({ code, detail }: Refusal): void {
    this.#session.settings.emit({ type: 'instructions-withheld', code, detail })
  }

  /** A server of the 2025 era lists only after this notification; the host's own one is then not repeated. */
  async #initializeAhead(result: JsonObject): Promise<void> {
    const version = result['protocolVersion']
    if (typeof version === 'string') this.#inner.setProtocolVersion?.(version)
    this.#initializedAhead = true
    await this.#session.wire.toServer({ jsonrpc: '2.0', method: 'notifications/initialized' })
  }
}

const VERSION = /^\d{4}-\d{2}-\d{2}$/
const MAX_VERSIONS = 32

function versionsIn(data: unknown): object | undefined {
  if (!isJsonObject(data)) return undefined
  const { supported, requested } = data
  const isVersion = (one: unknown): one is string => typeof one === 'string' && VERSION.test(one)
  const versions = {
    ...(Array.isArray(supported) && { supported: supported.slice(0, MAX_VERSIONS).filter(isVersion) }),
    ...(isVersion(requested) && { requested }),
  }
  return Object.keys(versions).length > 0 ? versions : undefined
}
