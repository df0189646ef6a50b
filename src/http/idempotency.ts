import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import type { Principal } from '../auth/scopes.js'
import type { IdempotencyStore, KeptAnswer } from '../storage/store.js'
import { formatProblemDocument, HttpProblem, type Problem } from './problems.js'
import type { Answer } from './route.js'

/** A request that came with a key. */
export interface KeyedRequest {
  readonly key: string
  readonly principal: Pick<Principal, 'account' | 'clientId' | 'publishes'>
  readonly method: string
  /** Path and query, as they were sent. */
  readonly target: string
  readonly contentType: string
  readonly body: Uint8Array
  readonly traceId: string
  /** What it is answered is kept nowhere. */
  readonly isSecret: boolean
}

/** What was made of it: now, or by whoever came first. */
export type Outcome =
  | { readonly answer: Answer; readonly isReplay: boolean }
  /** A refusal, as it was sent. */
  | { readonly refusal: KeptAnswer }

export interface Idempotency {
  /**
   * Does the work once for all requests with this key, and gives the same answer to the others. Throws
   * `idempotency-key-invalid`, `idempotency-running`, `idempotency-mismatch`, `idempotency-spent`, and what the work
   * throws.
   */
  run(request: KeyedRequest, work: () => Promise<Answer>): Promise<Outcome>
}

export interface IdempotencyOptions {
  readonly store: IdempotencyStore
  readonly problemOf: (error: unknown) => Problem
  readonly log: Logger
  /** Milliseconds. */
  readonly now: () => number
}

/** Nothing here takes so long: a key of a process that died is free after it. */
const LEASE_MS = 60_000
const KEPT_MS = 86_400_000
/** Larger answers are not kept: their request may run again. */
const MAX_KEPT_BYTES = 64 * 1024
const KEY = /^[\x21-\x7e]{16,255}$/

export function openIdempotency(options: IdempotencyOptions): Idempotency {
  const { store, now } = options
  return {
    async run(request, work) {
      const key = digest([...whoIs(request.principal), readKey(request.key)])
      const state = await store.takeIdempotencyKey(key, fingerprintOf(request), now() + LEASE_MS)
      switch (state.state) {
        case 'taken':
          return runOnce(options, request, { key, runner: state.runner }, work)
        case 'answered':
          return replay(state.answer)
        case 'running':
          throw new HttpProblem('idempotency-running', 'a request with this key is running', {
            'Retry-After': '1',
          })
        case 'other':
          throw new HttpProblem('idempotency-mismatch', 'this key was used for another request')
      }
    },
  }
}

/** A workflow comes as the account and the client of a person, and may do less: it is shown what it did alone. */
function whoIs({ account, clientId, publishes }: KeyedRequest['principal']): string[] {
  return [account, clientId, ...(publishes?.trustedPublishers ?? []).toSorted()]
}

function readKey(key: string): string {
  if (KEY.test(key)) return key
  throw new HttpProblem('idempotency-key-invalid', 'Idempotency-Key: 16 to 255 visible ASCII characters')
}

/** The same request has the same bytes; its token and its other headers may be new ones. */
function fingerprintOf({ method, target, contentType, body }: KeyedRequest): string {
  return digest([method, target, contentType, createHash('sha256').update(body).digest('hex')])
}

/** None of the parts has a NUL in it. */
function digest(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex')
}

interface Lease {
  readonly key: string
  readonly runner: string
}

async function runOnce(
  options: IdempotencyOptions,
  request: KeyedRequest,
  lease: Lease,
  work: () => Promise<Answer>,
): Promise<Outcome> {
  let answer: Answer
  try {
    answer = await work()
  } catch (error) {
    await settle(options, request, lease, keptRefusal(options.problemOf(error), request.traceId))
    throw error
  }
  await settle(options, request, lease, keptAnswer(answer, request.isSecret))
  return { answer, isReplay: false }
}

/** What was done is done, whether its answer can be kept or not. */
async function settle(
  { store, now, log }: IdempotencyOptions,
  { traceId }: KeyedRequest,
  { key, runner }: Lease,
  kept: KeptAnswer | undefined,
): Promise<void> {
  try {
    if (kept === undefined) await store.freeIdempotencyKey(key, runner)
    else await store.answerIdempotencyKey(key, runner, kept, now() + KEPT_MS)
  } catch (cause) {
    log.error({ traceId, err: cause }, 'the answer to a key could not be kept')
  }
}

function keptAnswer({ status = 200, body }: Answer, isSecret: boolean): KeptAnswer | undefined {
  if (isSecret) return { status, headers: {}, body: '' }
  const text = JSON.stringify(body)
  if (Buffer.byteLength(text) > MAX_KEPT_BYTES) return undefined
  return { status, headers: {}, body: text }
}

/** What failed on our side, or came too often, may be tried again. */
function keptRefusal(problem: Problem, traceId: string): KeptAnswer | undefined {
  if (problem.status >= 500 || problem.status === 429) return undefined
  const body = formatProblemDocument(problem, traceId).toString()
  if (Buffer.byteLength(body) > MAX_KEPT_BYTES) return undefined
  const headers = { ...problem.headers, 'Content-Type': 'application/problem+json' }
  return { status: problem.status, headers, body }
}

function replay(kept: KeptAnswer): Outcome {
  if (kept.status >= 400) return { refusal: kept }
  if (kept.body === '') {
    throw new HttpProblem('idempotency-spent', 'this request was answered with a secret, which is told once')
  }
  return { answer: { status: kept.status, body: JSON.parse(kept.body) as unknown }, isReplay: true }
}
