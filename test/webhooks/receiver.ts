import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** A real HTTP server on loopback that keeps what it is sent and answers as it is told. */
export interface Receiver {
  readonly url: string
  readonly received: readonly Received[]
  answer: (got: Received) => number | Promise<number>
  /** What it says besides the status. */
  text: string
  close(): Promise<void>
}

export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = []
  const receiver: Pick<Receiver, 'answer' | 'text'> = { answer: () => 204, text: '' }
  const server = createServer((req, res) => {
    const parts: Buffer[] = []
    req.on('data', (part: Buffer) => parts.push(part))
    req.on('end', () => {
      const got = { headers: req.headers, body: Buffer.concat(parts).toString('utf8') }
      void Promise.resolve(receiver.answer(got)).then((status) => {
        if (status < 300) received.push(got)
        res.writeHead(status).end(receiver.text)
      })
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return Object.assign(receiver, {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    close: () => new Promise<void>((closed) => server.close(() => closed())),
  })
}
