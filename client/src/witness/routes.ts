import type { IncomingMessage, ServerResponse } from 'node:http'
import { WitnessRefusal } from './refusal.js'
import { MAX_REQUEST_BYTES } from './request.js'
import type { Witness } from './witness.js'

interface Answer {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The witness does not know any more what it has on disk. */
export const FAILED: Answer = { status: 500, body: 'the witness failed\n' }

const NOTHING: Answer = { status: 404, body: 'there is nothing here\n' }
const TOO_LARGE: Answer = {
  status: 413,
  body: 'the request is too large\n',
  headers: { Connection: 'close' },
}
/** Read and thrown away so that the sender hears why; beyond it the connection is cut. */
const MAX_DISCARDED_BYTES = 1024 * 1024

/** tlog-witness: `POST /add-checkpoint`, `GET /<hex sha256(origin)>/checkpoint`, and a line for people at `/`. */
export async function answer(
  witness: Witness,
  name: string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const [path = ''] = (req.url ?? '').split('?')
  const { socket } = req // a request that was left half read does not know it any more
  const found =
    path === '/add-checkpoint'
      ? await onlyFor(['POST'], req, () => addCheckpoint(witness, req))
      : await onlyFor(['GET', 'HEAD'], req, () => read(witness, name, path))
  if (found === undefined) socket.destroy()
  else send(res, found)
}

async function onlyFor(
  methods: readonly string[],
  { method = '' }: IncomingMessage,
  run: () => Promise<Answer | undefined>,
): Promise<Answer | undefined> {
  if (methods.includes(method)) return run()
  const Allow = methods.join(', ')
  return { status: 405, body: `the methods here: ${Allow}\n`, headers: { Allow, Connection: 'close' } }
}

/** Undefined when there is nobody to answer. */
async function addCheckpoint(witness: Witness, req: IncomingMessage): Promise<Answer | undefined> {
  const body = await readBody(req)
  if (body === undefined || body === 'too-large') return body && TOO_LARGE
  try {
    return { status: 200, body: await witness.addCheckpoint(body) }
  } catch (error) {
    if (error instanceof WitnessRefusal) return refusalOf(error)
    throw error
  }
}

function refusalOf({ status, message, known }: WitnessRefusal): Answer {
  // Only with this type does a 409 mean that the log may go on from that size.
  if (known !== undefined)
    return { status, body: `${known}\n`, headers: { 'Content-Type': 'text/x.tlog.size' } }
  return { status, body: `${message}\n` }
}

async function read(witness: Witness, name: string, path: string): Promise<Answer> {
  if (path === '/') return { status: 200, body: `${name}: a witness of transparency logs\n` }
  const [, originHash] = /^\/([0-9a-f]{64})\/checkpoint$/.exec(path) ?? []
  const note = originHash === undefined ? undefined : await witness.checkpoint(originHash)
  return note === undefined ? NOTHING : { status: 200, body: note }
}

/** The whole body; undefined when the sender went away or sends without end. */
async function readBody(req: IncomingMessage): Promise<Uint8Array | 'too-large' | undefined> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of req as AsyncIterable<Uint8Array>) {
      length += part.length
      if (length > MAX_DISCARDED_BYTES) return undefined
      if (length <= MAX_REQUEST_BYTES) parts.push(part)
      else parts.length = 0
    }
  } catch {
    return undefined // cut off, by them or by our own clock: nobody hears an answer
  }
  return length > MAX_REQUEST_BYTES ? 'too-large' : new Uint8Array(Buffer.concat(parts))
}

/** Text, never kept by anybody in between. */
export function send(res: ServerResponse, { status, body, headers }: Answer): void {
  const plain = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }
  if (!res.headersSent) res.writeHead(status, { ...plain, 'X-Content-Type-Options': 'nosniff', ...headers })
  // Without a body for HEAD, by itself.
  res.end(body)
}
