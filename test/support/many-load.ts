import { setTimeout as wait } from 'node:timers/promises'
import type { Acknowledged } from './crash-load.js'
import { callerOf, send, type Caller, type Client, type Reply } from './registry.js'
import type { Seen } from './whole-log.js'

/** Everything that was promised, by whichever process. */
export interface LoadMade {
  readonly acknowledged: Acknowledged[]
  /** Sent, and nobody ever answered: may be logged or not. */
  readonly unanswered: string[]
  readonly seen: Seen[]
  /** How often somebody was told to come again. */
  refused: number
}

const LANES = 3

/** Publishes at one process from several sides until it is over, or the process is. */
export async function publishUntil(
  over: AbortSignal,
  url: string,
  client: Client,
  next: () => { readonly envelope: string; readonly manifest: string },
  made: LoadMade,
): Promise<void> {
  const caller = callerOf(url, client)
  const token = await insist(over, made, () => caller.token().then(() => OK))
  if (token === undefined) return
  await Promise.all(Array.from({ length: LANES }, () => publishLane(over, caller, next, made)))
}

const OK: Pick<Reply, 'status' | 'body'> = { status: 200, body: {} as Reply['body'] }

async function publishLane(
  over: AbortSignal,
  caller: Caller,
  next: () => { readonly envelope: string; readonly manifest: string },
  made: LoadMade,
): Promise<void> {
  while (!over.aborted) {
    const { envelope, manifest } = next()
    const reply = await insist(over, made, () => caller.post('/v1/manifests', envelope))
    if (reply === undefined) {
      made.unanswered.push(manifest)
      return
    }
    const { status, body } = reply
    if (body.manifest !== manifest) throw new Error('the answer is about another manifest')
    made.acknowledged.push({ manifest, index: body.index, published: status !== 202 })
  }
}

/**
 * Who is told to come again sends the same bytes again; undefined when the process is gone, or when it is over before
 * there was an answer.
 */
async function insist(
  over: AbortSignal,
  made: LoadMade,
  ask: () => Promise<Pick<Reply, 'status' | 'body'>>,
): Promise<Pick<Reply, 'status' | 'body'> | undefined> {
  for (;;) {
    const reply = await ask().catch((cause: unknown) => cause)
    if (reply instanceof Error) {
      // A token that was refused because the database was away.
      if (!/no token: 503/.test(reply.message)) return undefined
    } else {
      const { status, body } = reply as Pick<Reply, 'status' | 'body'>
      if ([200, 201, 202].includes(status)) return { status, body }
      if (status !== 503 && status !== 429) throw new Error(`${status} ${JSON.stringify(body)}`)
    }
    made.refused++
    if (over.aborted) return undefined
    await wait(20)
  }
}

/** What hosts are shown by one process; it is told of each answer. It never goes back. */
export async function readUntil(
  over: AbortSignal,
  url: string,
  seen: Seen[],
  onAnswer: () => void,
): Promise<void> {
  let last = 0
  while (!over.aborted) {
    const reply = await send(url, 'GET', '/log/checkpoint').catch(() => undefined)
    if (reply?.status === 200) {
      const [, size = '', root = ''] = reply.text.split('\n')
      if (Number(size) < last) throw new Error(`a process went back from ${last} to ${size}`)
      last = Number(size)
      seen.push({ size: last, root })
      onAnswer()
    } else if (reply !== undefined && reply.status !== 503 && reply.status !== 429)
      throw new Error(`${reply.status} ${reply.text}`)
    await wait(20)
  }
}
