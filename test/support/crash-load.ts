import { setTimeout as wait } from 'node:timers/promises'
import type { VictimProcess } from './crash.js'
import { callerOf, send, type Caller, type Client } from './registry.js'
import type { Seen } from './whole-log.js'

/** A publish that was answered: 201 when its index was published, 202 when it was committed only. */
export interface Acknowledged {
  readonly manifest: string
  readonly index: number
  readonly published: boolean
}

/** Everything that was ever promised to anybody. */
export interface PromisesMade {
  readonly acknowledged: Acknowledged[]
  /** Sent, but the answer never came: may be logged or not. */
  readonly unanswered: string[]
  /** Checkpoints that hosts were shown. */
  readonly seen: Seen[]
}

const LANES = 6

/**
 * Publishes from several sides and watches the checkpoint, until so many answers have come and `thenMs` have passed;
 * then kills the registry and waits for everybody to notice.
 */
export async function loadAndKill(
  victim: VictimProcess,
  client: Client,
  envelope: () => { readonly envelope: string; readonly manifest: string },
  made: PromisesMade,
  { answers, thenMs }: { readonly answers: number; readonly thenMs: number },
): Promise<void> {
  const caller = callerOf(victim.url, client)
  const over = new AbortController()
  const until = made.acknowledged.length + answers
  try {
    await caller.token()
    const lanes = Array.from({ length: LANES }, () => publishUntilSilence(caller, envelope, made))
    const all = Promise.all([...lanes, watchUntilSilence(victim.url, made.seen)])
    await Promise.race([all, reached(made.acknowledged, until, over.signal)])
    await wait(thenMs)
    await victim.end('SIGKILL')
    await all
  } finally {
    over.abort()
    await victim.end('SIGKILL')
  }
}

async function reached(acknowledged: readonly Acknowledged[], until: number, over: AbortSignal) {
  while (acknowledged.length < until && !over.aborted) await wait(1)
}

async function publishUntilSilence(
  caller: Caller,
  next: () => { readonly envelope: string; readonly manifest: string },
  { acknowledged, unanswered }: PromisesMade,
): Promise<void> {
  for (;;) {
    const { envelope, manifest } = next()
    const reply = await caller.post('/v1/manifests', envelope).catch(() => undefined)
    if (reply === undefined) {
      unanswered.push(manifest)
      return
    }
    const { status, body } = reply
    if (status !== 201 && status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`)
    if (body.manifest !== manifest) throw new Error('the answer is about another manifest')
    acknowledged.push({ manifest, index: body.index, published: status === 201 })
  }
}

async function watchUntilSilence(url: string, seen: Seen[]): Promise<void> {
  for (;;) {
    const reply = await send(url, 'GET', '/log/checkpoint').catch(() => undefined)
    if (reply === undefined) return
    const [, size = '', root = ''] = reply.text.split('\n')
    seen.push({ size: Number(size), root })
    await wait(5)
  }
}
