import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  formatManifest,
  manifestDigest,
  signKeyAddEvent,
  signNamespaceEvent,
  type Signer,
} from 'countersign/core'
import {
  callerOf,
  expectStatus,
  sampleManifest,
  send,
  signManifest,
  submitKeyEvent,
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
  readonly end: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void>
}

/**
 * Starts the registry over a folder; `under` is a command that runs it, such as a tracer with its arguments. Rejects
 * when it ends before it answers.
 */
export async function startVictim(
  folder: string,
  under: readonly string[] = [],
  settings: Readonly<Record<string, string>> = {},
): Promise<VictimProcess> {
  const [command, ...args] = [...under, process.execPath, REGISTRY, 'serve']
  const env = {
    ...process.env,
    COUNTERSIGN_LISTEN: '127.0.0.1:0',
    COUNTERSIGN_DATA_DIR: join(folder, 'data'),
    COUNTERSIGN_ROLLBACK_FILE: join(folder, 'state', 'registry.rollback'),
    COUNTERSIGN_LOG_LEVEL: 'warn',
    ...settings,
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
