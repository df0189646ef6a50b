import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'

export interface StreamedEvent {
  readonly id: number
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** A consumer of server-sent events that keeps what it was told, as a browser would understand it. */
export interface Consumer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Of an answer that is no stream. */
  readonly text: () => string
  readonly events: readonly StreamedEvent[]
  /** What it would come again with. */
  readonly lastId: () => string
  readonly heartbeats: () => number
  /** When so many events came in all. */
  reached(count: number): Promise<void>
  /** When there was a heartbeat after this call. */
  beat(): Promise<void>
  /** When the connection is gone. */
  readonly ended: Promise<void>
  /** Reads nothing more, and stays. */
  stall(): void
  close(): void
}

export function openConsumer(
  url: string,
  path = '/v1/events',
  headers: Readonly<Record<string, string>> = {},
): Promise<Consumer> {
  return new Promise((resolve, reject) => {
    const req = request(url + path, { headers: { accept: 'text/event-stream', ...headers }, agent: false })
    req.once('error', reject)
    req.once('response', (res) => {
      req.off('error', reject)
      req.on('error', () => undefined)
      resolve(consume(res, () => req.destroy()))
    })
    req.end()
  })
}

function consume(res: IncomingMessage, close: () => void): Consumer {
  const events: StreamedEvent[] = []
  let [text, rest, lastId, heartbeats] = ['', '', '', 0]
  let listeners: (() => void)[] = []
  const ended = new Promise<void>((resolve) => res.once('close', resolve))
  res.on('error', () => undefined)
  res.setEncoding('utf8')
  res.on('data', (chunk: string) => {
    text += chunk
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = fieldsOf(block)
      const id = fields.get('id')
      if (id !== undefined) lastId = id
      if (block.startsWith(':')) heartbeats++
      const data = fields.get('data')
      if (data === undefined) continue
      const parsed = JSON.parse(data) as Readonly<Record<string, unknown>>
      events.push({ id: Number(id), type: fields.get('event') ?? '', data: parsed })
    }
    const waiting = listeners
    listeners = []
    for (const look of waiting) look()
  })
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (holds()) resolve()
        else listeners.push(look)
      }
      void ended.then(() => reject(new Error(`the stream ended early: ${text.slice(-500)}`)))
      look()
    })
  return {
    ...{ status: res.statusCode ?? 0, headers: res.headers, events, ended, close },
    text: () => text,
    lastId: () => lastId,
    heartbeats: () => heartbeats,
    reached: (count) => until(() => events.length >= count),
    beat() {
      const before = heartbeats
      return until(() => heartbeats > before)
    },
    stall: () => void res.pause(),
  }
}

function fieldsOf(block: string): Map<string, string> {
  const lines = block.split('\n').filter((line) => !line.startsWith(':'))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
}
