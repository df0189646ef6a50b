import {
  guardTransport,
  type GuardedTransport,
  type GuardEvent,
  type GuardOptions,
  type GuardPolicy,
  type InnerTransport,
  type Reviewer,
} from '../../client/src/guard/index.js'
import type { Review, ReviewInput } from '../../client/src/review.js'

export type Message = Record<string, unknown> & {
  id?: string | number
  method?: string
  params?: Record<string, unknown>
}

/** The far end of a transport, played by the test: it sees every frame the guard sends and says anything. */
export class FakeServer implements InnerTransport {
  onclose: (() => void) | undefined = undefined
  onerror: ((error: Error) => void) | undefined = undefined
  onmessage: ((message: never, extra?: never) => void) | undefined = undefined
  readonly received: Message[] = []
  readonly options: unknown[] = []
  readonly #answers: Record<string, (message: Message) => object | undefined>

  constructor(answers: Record<string, (message: Message) => object | undefined> = {}) {
    this.#answers = answers
  }

  async start(): Promise<void> {}

  async close(): Promise<void> {
    this.onclose?.()
  }

  async send(message: object, options?: object): Promise<void> {
    const received = message as Message
    this.received.push(received)
    this.options.push(options)
    const result = this.#answers[received.method ?? '']?.(received)
    if (result !== undefined) queueMicrotask(() => this.say({ jsonrpc: '2.0', id: received.id, ...result }))
  }

  say(message: unknown): void {
    this.onmessage?.(message as never)
  }

  asked(method: string): Message[] {
    return this.received.filter((message) => message.method === method)
  }
}

/** A host that lets through what a test names; only for tests of frames. */
export function fakeReviewer(
  judge: (input: ReviewInput) => Partial<Review>,
): Reviewer & { reviews: ReviewInput[] } {
  const reviews: ReviewInput[] = []
  return {
    reviews,
    review: async (input) => {
      reviews.push(input)
      return {
        allowed: [],
        withheld: [],
        mode: 'enforce',
        verdict: 'verified',
        ...judge(input),
      } as unknown as Review
    },
    refresh: async () => undefined,
  }
}

export function allow(...names: string[]): Partial<Review> {
  return {
    allowed: names.map((name) => ({
      name,
      digest: `sha256:${'0'.repeat(64)}`,
      dialect: false,
      signed: JSON.stringify({ name, description: `signed ${name}`, inputSchema: { type: 'object' } }),
    })),
  }
}

/** A tool as a test signs it. */
export function signedTool(definition: object & { readonly name: string }) {
  return {
    name: definition.name,
    digest: `sha256:${'0'.repeat(64)}` as const,
    dialect: false,
    signed: JSON.stringify({ inputSchema: { type: 'object' }, ...definition }),
  }
}

/** A host with a policy that lets through whatever `judge` says. */
export function policyReviewer(
  policy: Partial<GuardPolicy>,
  judge: (input: ReviewInput) => Partial<Review>,
): Reviewer & { reviews: ReviewInput[] } {
  const { mode = 'enforce' } = policy
  return { ...fakeReviewer((input) => ({ mode, ...judge(input) })), policy: { ...policy, mode } }
}

export interface Opened {
  readonly guard: GuardedTransport
  readonly heard: Heard
  /** Sends a request of the host and gives the answer it hears. */
  readonly ask: (id: string | number, method: string, params?: object) => Promise<Message>
}

/** A guard between a test and a server that the test plays. */
export async function openGuard(
  server: InnerTransport,
  options: Partial<GuardOptions> = {},
): Promise<Opened> {
  const events: GuardEvent[] = []
  const guard = guardTransport(server, {
    host: fakeReviewer(() => allow('good')),
    server: 'com.example/weather',
    onEvent: (event) => events.push(event),
    ...options,
  })
  const heard = listen(guard, events)
  await guard.start()
  const ask: Opened['ask'] = async (id, method, params) => {
    await guard.send({ jsonrpc: '2.0', id, method, ...(params !== undefined && { params }) })
    return heard.answer(id)
  }
  return { guard, heard, ask }
}

/** What every request of the 2026 era carries. */
export const MODERN = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } }

/** The events of one type, in order. */
export function eventsOf<T extends GuardEvent['type']>(
  { events }: Heard,
  type: T,
): Extract<GuardEvent, { type: T }>[] {
  return events.filter((event): event is Extract<GuardEvent, { type: T }> => event.type === type)
}

/** Collects what the guard says to the host and to its owner. */
export interface Heard {
  readonly messages: Message[]
  readonly events: GuardEvent[]
  answer(id: string | number): Promise<Message>
}

export function listen(
  transport: { onmessage: ((message: object) => void) | undefined },
  events: GuardEvent[],
): Heard {
  const messages: Message[] = []
  transport.onmessage = (message) => messages.push(message as Message)
  const answer = async (id: string | number): Promise<Message> => {
    const end = performance.now() + 30_000
    while (performance.now() < end) {
      const found = messages.find((message) => message.id === id && message.method === undefined)
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    throw new Error(`no answer to ${id}`)
  }
  return { messages, events, answer }
}
