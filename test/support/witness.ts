import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  concatBytes,
  CountersignError,
  decodeBase64,
  EMPTY_ROOT,
  formatNote,
  formatSignatureLine,
  formatVerifierKey,
  openCheckpoint,
  parseDecimal,
  parseNote,
  parseVerifierKey,
  randomBytes,
  sha256HexOfText,
  signerFromSeed,
  utf8Bytes,
  verifyConsistency,
  type Checkpoint,
} from 'countersign/core'

/** What one witness was asked: the parts of an `add-checkpoint`. */
export interface Submitted {
  readonly old: number
  readonly proof: readonly Uint8Array[]
  readonly note: string
}

/** How a fake witness answers one `add-checkpoint`. */
export type Step = (asked: Submitted, response: ServerResponse, witness: FakeWitness) => void | Promise<void>

/**
 * A witness on loopback that is honest until a script says otherwise. Its log is the one it was made for, and it keeps
 * what it cosigned in memory.
 */
export interface FakeWitness {
  readonly name: string
  readonly vkey: string
  readonly url: string
  /** Its line of a policy. */
  readonly policyLine: string
  /** Every `add-checkpoint` that arrived, answered or not. */
  readonly asked: Submitted[]
  /** Each step answers one request; then it is honest again. */
  readonly script: Step[]
  /** Breaks every connection. */
  isDown: boolean
  /** The newest note it cosigned. */
  known: { readonly checkpoint: Checkpoint; readonly note: string } | undefined
  /** POSIX seconds of its next cosignatures; each is one later than the one before. */
  clock: number
  /** Shown in place of `known` to whoever asks for its newest checkpoint. */
  shown: string | undefined
  /** Its signature line over the text of a note, at a time of its own clock. */
  cosign(note: string, seconds?: number): string
  /** The same over any text, a checkpoint or not. */
  cosignText(text: string, seconds?: number): string
  close(): Promise<void>
}

/** Starts one for the log with this verifier key, whose name is the origin. */
export async function startFakeWitness(name: string, logVkey: string): Promise<FakeWitness> {
  const signer = signerFromSeed(randomBytes(32))
  const vkey = formatVerifierKey(name, 4, signer.publicKey)
  const { keyId } = parseVerifierKey(vkey)
  const server = createServer((request, response) => {
    void handle(request, response).catch((error: unknown) => response.destroy(error as Error))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const witness: FakeWitness = {
    ...{ name, vkey, url, policyLine: `witness ${name} ${vkey} ${url}\n` },
    ...{ asked: [], script: [], isDown: false, known: undefined, shown: undefined },
    clock: Math.floor(Date.now() / 1000) - 100,
    cosign: (note, seconds) => witness.cosignText(parseNote(note).text, seconds),
    // By hand: a cosigner of ours would refuse what is no checkpoint.
    cosignText: (text, seconds = witness.clock++) => {
      const time = new Uint8Array(8)
      new DataView(time.buffer).setBigUint64(0, BigInt(seconds))
      const signature = signer.sign(utf8Bytes(`cosignature/v1\ntime ${seconds}\n${text}`))
      return formatSignatureLine(name, keyId, concatBytes(time, signature))
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (witness.isDown) response.destroy()
    else if (request.method === 'GET') show(witness, request.url, logVkey, response)
    else await answer(request, response)
  }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const asked = parseAsked(await readText(request))
    witness.asked.push(asked)
    const step = request.url === '/add-checkpoint' ? (witness.script.shift() ?? honest(logVkey)) : says(404)
    await step(asked, response, witness)
  }
  return witness
}

/** A policy that names the witnesses, then these lines. */
export function policyOf(witnesses: readonly { readonly policyLine: string }[], ...lines: string[]): string {
  return `${witnesses.map(({ policyLine }) => policyLine).join('')}${lines.join('\n')}\n`
}

/** What C2SP tlog-witness asks for, as far as an honest log can tell. */
function honest(logVkey: string): Step {
  const key = parseVerifierKey(logVkey)
  return ({ old, proof, note }, response, witness) => {
    const { checkpoint } = openCheckpoint(note, { origin: key.name, key })
    const { size = 0, root = EMPTY_ROOT } = witness.known?.checkpoint ?? {}
    if (old !== size) return knows(size)({ old, proof, note }, response, witness)
    try {
      verifyConsistency(old, checkpoint.size, proof, root, checkpoint.root)
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
      response.writeHead(422).end()
      return
    }
    const line = witness.cosign(note)
    witness.known = { checkpoint, note: formatNote(parseNote(note).text, [...linesOf(note), line]) }
    response.writeHead(200).end(`${line}\n`)
  }
}

function linesOf(note: string): string[] {
  return parseNote(note).signatures.map(({ line }) => line)
}

function show(
  witness: FakeWitness,
  path: string | undefined,
  logVkey: string,
  response: ServerResponse,
): void {
  const note = witness.shown ?? witness.known?.note
  const isOurs = path === `/${sha256HexOfText(parseVerifierKey(logVkey).name)}/checkpoint`
  if (!isOurs || note === undefined) response.writeHead(404).end()
  else response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(note)
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function parseAsked(body: string): Submitted {
  const end = body.indexOf('\n\n')
  const [old = '', ...hashes] = body.slice(0, end).split('\n')
  if (!old.startsWith('old ')) throw new Error('no old size')
  return { old: parseDecimal(old.slice(4)), proof: hashes.map(decodeBase64), note: body.slice(end + 2) }
}

/** Answers with this status and body. */
export function says(status: number, body = '', headers: Record<string, string> = {}): Step {
  return (_, response) => void response.writeHead(status, headers).end(body)
}

/** 200 with what is made of the note that was submitted. */
export function returns(make: (note: string, witness: FakeWitness) => string): Step {
  return ({ note }, response, witness) => void response.writeHead(200).end(make(note, witness))
}

/** 409 with a size, as the specification has it unless another content type is given. */
export function knows(size: number | string, type = 'text/x.tlog.size'): Step {
  return says(409, typeof size === 'number' ? `${size}\n` : size, { 'content-type': type })
}

/** Breaks the connection. */
export const breaks: Step = (_, response) => void response.destroy()

/** Never answers. */
export const hangs: Step = () => undefined

/** Sends the head of an answer and a few bytes, and never the end. */
export const dribbles: Step = (_, response) => {
  response.writeHead(200)
  response.write('\u2014 ')
}

/** Waits, then does what the next step of the script says, or is honest. */
export function after(released: Promise<unknown>, logVkey: string): Step {
  return async (asked, response, witness) => {
    await released
    await honest(logVkey)(asked, response, witness)
  }
}
