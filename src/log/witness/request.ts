import {
  CountersignError,
  encodeBase64,
  formatDecimal,
  openNote,
  parseDecimal,
  parseNote,
  parseText,
  type Cosignature,
  type PolicyWitness,
} from 'countersign/core'
import { OutsideError, type Outside, type OutsideAnswer } from '../../net/outside.js'
import type { CommittedTree, WitnessFailure } from './witnesses.js'

// C2SP tlog-witness v1.0.0, the log's side of one `add-checkpoint`.

/** Most of an answer that is read: a few signature lines, or one note. */
export const MAX_ANSWER_BYTES = 64 * 1024

/** Hosts refuse times further ahead than this as a clock that is wrong (PROTOCOL 10.4). */
const MAX_AHEAD_SECONDS = 600

/** A witness that can be asked. */
export interface Target {
  readonly witness: PolicyWitness
  /** Without the slash at its end. */
  readonly url: string
}

/** What one request came to. */
export type Reply =
  | { readonly kind: 'cosigned'; readonly line: string; readonly cosignature: Cosignature }
  /** It knows our log at this size, and not at the one we thought. */
  | { readonly kind: 'knows'; readonly size: number }
  /** It says that our tree is not the one it knows. */
  | { readonly kind: 'disputes' }
  | { readonly kind: 'failed'; readonly code: WitnessFailure; readonly mayPass: boolean }

export interface Request {
  readonly tree: CommittedTree
  /** The size at which the witness knows the log, as far as we know. */
  readonly old: number
  /** From `old` to the tree. */
  readonly proof: readonly Uint8Array[]
  readonly timeoutMs: number
  /** POSIX milliseconds. */
  readonly now: () => number
}

/** A witness of the policy as something to ask; undefined when the policy does not say where it is. */
export function targetOf(witness: PolicyWitness): Target | undefined {
  const { url } = witness
  if (url === undefined) return undefined
  return { witness, url: url.endsWith('/') ? url.slice(0, -1) : url }
}

/** Asks for a cosignature once. Every failure is a value. */
export async function requestCosignature(outside: Outside, target: Target, asked: Request): Promise<Reply> {
  const { tree, old, proof, timeoutMs } = asked
  try {
    const answer = await outside.request(`${target.url}/add-checkpoint`, {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain; charset=utf-8' },
      body: formatAddCheckpoint(old, proof, tree.note),
      maxBytes: MAX_ANSWER_BYTES,
      timeoutMs,
      // An admin put the address into a policy that the root keys signed.
      trusted: true,
    })
    return readAnswer(answer, target, asked)
  } catch (cause) {
    if (cause instanceof OutsideError) return failureOf(cause)
    throw cause
  }
}

/** The body of `add-checkpoint`. */
function formatAddCheckpoint(old: number, proof: readonly Uint8Array[], note: string): string {
  const hashes = proof.map((hash) => `${encodeBase64(hash)}\n`).join('')
  return `old ${formatDecimal(old)}\n${hashes}\n${note}`
}

function failureOf({ code }: OutsideError): Reply {
  if (code === 'too-large') return failed('invalid-cosignature')
  return failed('unreachable', code === 'unreachable')
}

function failed(code: WitnessFailure, mayPass = false): Reply {
  return { kind: 'failed', code, mayPass }
}

function readAnswer(answer: OutsideAnswer, { witness }: Target, asked: Request): Reply {
  const { status } = answer
  if (status === 200) return readCosignature(answer.body, witness, asked)
  if (status === 409) return readConflict(answer, asked)
  if (status === 422) return { kind: 'disputes' }
  // 404 is an unknown origin; 403 a key it does not know for it, or an unknown origin at older witnesses.
  if (status === 403 || status === 404) return failed('unknown-log')
  if (status === 429 || status >= 500) return failed('unreachable', true)
  return failed('refused')
}

/**
 * A 409 means another size only when its content type says so. At the same size and without it, witnesses of v1.0.0 mean
 * another root.
 */
function readConflict({ headers, body }: OutsideAnswer, { old, tree }: Request): Reply {
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  if (type.trim().toLowerCase() === 'text/x.tlog.size') return readSize(body)
  return old === tree.size ? { kind: 'disputes' } : failed('refused')
}

function readSize(body: Uint8Array): Reply {
  try {
    const [size = '', end, ...more] = parseText(body, MAX_ANSWER_BYTES).split('\n')
    if (end !== '' || more.length > 0) return failed('refused')
    return { kind: 'knows', size: parseDecimal(size) }
  } catch (cause) {
    if (cause instanceof CountersignError) return failed('refused')
    throw cause
  }
}

/** The witness's own line over exactly this checkpoint; lines of other names are dropped. */
function readCosignature(body: Uint8Array, { key }: PolicyWitness, { tree, now }: Request): Reply {
  try {
    const { text } = parseNote(tree.note)
    const cosigned = parseNote(`${text}\n${parseText(body, MAX_ANSWER_BYTES)}`)
    // An empty line in the answer would make its beginning part of what is signed.
    if (cosigned.text !== text) return failed('invalid-cosignature')
    const [own] = openNote(cosigned, [key]).verified
    if (own?.timestamp === undefined || isAhead(own.timestamp, now())) return failed('invalid-cosignature')
    return { kind: 'cosigned', line: own.line, cosignature: { key, timestamp: own.timestamp } }
  } catch (cause) {
    if (cause instanceof CountersignError) return failed('invalid-cosignature')
    throw cause
  }
}

function isAhead(timestamp: number, now: number): boolean {
  return timestamp > now / 1000 + MAX_AHEAD_SECONDS
}
