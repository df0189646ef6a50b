import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  formatManifest,
  manifestDigest,
  parseEvent,
  signKeyAddEvent,
  signNamespaceEvent,
  type Signer,
} from 'countersign/core'
import { readWholeLog, type Seen, type WholeLog } from './whole-log.js'
import {
  bootstrap,
  callerOf,
  expectStatus,
  newKey,
  sampleManifest,
  send,
  signManifest,
  submitKeyEvent,
  type Caller,
  type Client,
} from './registry.js'

const REGISTRY = fileURLToPath(new URL('../../bin/countersign-registry.js', import.meta.url))
const NAMESPACE = 'com.example'
const START_MS = 60_000

/** A built registry in a process of its own that is going to be killed. */
export interface VictimProcess {
  readonly child: ChildProcess
  readonly url: string
  readonly password: string | undefined
  /** SIGKILL, or SIGTERM, and waits for the end. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

/** Starts the registry over a folder; `under` is a command that runs it, such as a tracer with its arguments. */
export async function startVictim(folder: string, under: readonly string[] = []): Promise<VictimProcess> {
  const [command, ...args] = [...under, process.execPath, REGISTRY, 'serve']
  const env = {
    ...process.env,
    COUNTERSIGN_LISTEN: '127.0.0.1:0',
    COUNTERSIGN_DATA_DIR: join(folder, 'data'),
    COUNTERSIGN_ROLLBACK_FILE: join(folder, 'state', 'registry.rollback'),
    COUNTERSIGN_LOG_LEVEL: 'warn',
  }
  const child = spawn(command, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const printed = await readGreeting(child)
  const url = /https?:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0] ?? ''
  const password = /--one-time-password (\S+)/.exec(printed)?.[1]
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  return { child, url, password, end }
}

/** Everything up to the line after which the greeting has all that a test needs. */
async function readGreeting(child: ChildProcess): Promise<string> {
  let printed = ''
  return await new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(late)
      child.kill('SIGKILL')
      reject(new Error(`the registry did not start: ${why} ${printed.slice(-2000)}`))
    }
    const late = setTimeout(() => fail('time is up'), START_MS)
    child.stderr?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    child.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      const isFirst = printed.includes('First start')
      if (!/^ {2}data .*\n/m.test(printed) || (isFirst && !/--one-time-password \S+\n/.test(printed))) return
      clearTimeout(late)
      resolve(printed)
    })
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code) => fail(`ended with ${String(code)}`))
  })
}

/** A publish that was answered with 201. */
export interface Acknowledged {
  readonly manifest: string
  readonly index: number
}

/** A folder with a registry that is killed and started again, and everything it ever promised. */
export interface CrashStage {
  readonly folder: string
  readonly acknowledged: Acknowledged[]
  /** Sent, but the answer never came: may be logged or not. */
  readonly unanswered: string[]
  /** Checkpoints that hosts were shown. */
  readonly seen: Seen[]
  /** One life: start, publish from several sides; SIGKILL so many answers and so many milliseconds later. */
  liveAndDie(answers: number, thenMs: number): Promise<void>
  /** Starts once more, reads everything back and compares it with every promise. */
  settle(): Promise<WholeLog>
  remove(): Promise<void>
}

const LANES = 6

export async function openCrashStage(): Promise<CrashStage> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-crash-'))
  const key = newKey()
  const { client, identity } = await firstLife(folder, key)
  const acknowledged: Acknowledged[] = []
  const unanswered: string[] = []
  const seen: Seen[] = []
  let serial = 0
  const work: Work = {
    envelope: () => envelopeOf(identity, serial++, key),
    answers: () => acknowledged.length,
    onAnswer: (answer) => void acknowledged.push(answer),
    onSilence: (manifest) => void unanswered.push(manifest),
    onCheckpoint: (checkpoint) => void seen.push(checkpoint),
  }
  return {
    folder,
    acknowledged,
    unanswered,
    seen,
    liveAndDie: (answers, thenMs) => liveAndDie(folder, client, work, acknowledged.length + answers, thenMs),
    settle: () => settle(folder, client, { acknowledged, unanswered, seen }),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The first start: the password is traded for a client, and the namespace enrolled. */
async function firstLife(folder: string, key: Signer): Promise<{ client: Client; identity: string }> {
  const victim = await startVictim(folder)
  try {
    const client = await bootstrap(victim.url, 'admin', victim.password ?? '')
    return { client, identity: await enrol(victim.url, client, key) }
  } finally {
    await victim.end('SIGTERM')
  }
}

/** The namespace and one key that owns and signs; returns the registry's identity. */
export async function enrol(url: string, client: Client, key: Signer): Promise<string> {
  const caller = callerOf(url, client)
  const status = await send(url, 'GET', '/v1/status')
  const identity = String(status.body['registry'])
  const account = client.account
  expectStatus(200, await caller.put(`/v1/admin/namespaces/${NAMESPACE}`, { account }))
  const event = signNamespaceEvent({ namespace: NAMESPACE, proof: 'admin', account }, identity, key)
  const { index } = expectStatus(201, await submitKeyEvent(caller, event)).body
  const added = signKeyAddEvent({ namespace: NAMESPACE, role: 'sign', after: index }, identity, key, key)
  expectStatus(201, await submitKeyEvent(caller, added))
  return identity
}

/** A manifest nobody has sent before: its own server and version. */
export function envelopeOf(
  identity: string,
  serial: number,
  key: Signer,
): { envelope: string; manifest: string } {
  const server = `${NAMESPACE}/server-${serial % 7}`
  const manifest = sampleManifest(identity, { server, version: `1.0.${serial}` })
  return { envelope: signManifest(manifest, key), manifest: manifestDigest(formatManifest(manifest)) }
}

interface Work {
  readonly envelope: () => { readonly envelope: string; readonly manifest: string }
  readonly answers: () => number
  readonly onAnswer: (answer: Acknowledged) => void
  readonly onSilence: (manifest: string) => void
  readonly onCheckpoint: (checkpoint: Seen) => void
}

async function liveAndDie(
  folder: string,
  client: Client,
  work: Work,
  until: number,
  thenMs: number,
): Promise<void> {
  const victim = await startVictim(folder)
  const caller = callerOf(victim.url, client)
  const over = new AbortController()
  try {
    await caller.token()
    const lanes = Array.from({ length: LANES }, () => publishUntilSilence(caller, work))
    const all = Promise.all([...lanes, watchUntilSilence(victim.url, work)])
    await Promise.race([all, reached(work, until, over.signal)])
    await wait(thenMs)
    await victim.end('SIGKILL')
    await all
  } finally {
    over.abort()
    await victim.end('SIGKILL')
  }
}

async function reached(work: Work, answers: number, over: AbortSignal): Promise<void> {
  while (work.answers() < answers && !over.aborted) await wait(1)
}

async function publishUntilSilence(caller: Caller, work: Work): Promise<void> {
  for (;;) {
    const { envelope, manifest } = work.envelope()
    const reply = await caller.post('/v1/manifests', envelope).catch(() => undefined)
    if (reply === undefined) {
      work.onSilence(manifest)
      return
    }
    const { body } = expectStatus(201, reply)
    if (body.manifest !== manifest) throw new Error('the answer is about another manifest')
    work.onAnswer({ manifest, index: body.index })
  }
}

async function watchUntilSilence(url: string, work: Work): Promise<void> {
  for (;;) {
    const reply = await send(url, 'GET', '/log/checkpoint').catch(() => undefined)
    if (reply === undefined) return
    const [, size = '', root = ''] = reply.text.split('\n')
    work.onCheckpoint({ size: Number(size), root })
    await wait(5)
  }
}

type Promises = Pick<CrashStage, 'acknowledged' | 'unanswered' | 'seen'>

/** Throws at the first broken promise. */
async function settle(folder: string, client: Client, promises: Promises): Promise<WholeLog> {
  const victim = await startVictim(folder)
  try {
    const log = await readWholeLog(victim.url)
    log.assertExtends(promises.seen)
    const logged = publishedAt(log)
    assertAnswers(promises.acknowledged, logged)
    const caller = callerOf(victim.url, client)
    for (const { manifest, index } of promises.acknowledged.slice(-20)) {
      const kept = expectStatus(200, await caller.get(`/v1/review/${manifest}`)).body
      if (kept.index !== index)
        throw new Error(`${manifest} was logged at ${index}, the registry says ${kept.index}`)
    }
    return log
  } finally {
    await victim.end('SIGTERM')
  }
}

/** Where each manifest was logged; a manifest that was logged twice is a broken promise of its own. */
function publishedAt({ leaves }: WholeLog): Map<string, number> {
  const logged = new Map<string, number>()
  for (const [index, leaf] of leaves.entries()) {
    const event = parseEvent(leaf)
    if (event.t !== 'publish') continue
    if (logged.has(event.manifest)) throw new Error(`${event.manifest} was logged twice`)
    logged.set(event.manifest, index)
  }
  return logged
}

function assertAnswers(acknowledged: readonly Acknowledged[], logged: ReadonlyMap<string, number>): void {
  const given = new Set<number>()
  for (const { manifest, index } of acknowledged) {
    if (logged.get(manifest) !== index) throw new Error(`acknowledged at ${index} and lost: ${manifest}`)
    if (given.has(index)) throw new Error(`index ${index} was given twice`)
    given.add(index)
  }
}
