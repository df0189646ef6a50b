import type { PinnedLog } from '../core/index.js'
import { openWitnessKey, type WitnessKey } from './key-file.js'
import { pinLog } from './logs.js'
import { DEFAULT_HTTP_LIMITS, openServer, type HttpLimits } from './server.js'
import { openSqliteStore } from './sqlite-store.js'
import type { WitnessStore } from './store.js'
import { makeWitness, type WitnessEvent } from './witness.js'

export type { WitnessEvent } from './witness.js'

export interface WitnessOptions {
  /** File of the note private key (type 4); made, readable by its owner only, when it is not there. */
  readonly key: string
  /** Name of a key that is to be made; of one that is there, it must be the same. */
  readonly name?: string
  /** Verifier keys, or logs whose origin is not the name of their key. */
  readonly logs: readonly (string | PinnedLog)[]
  /** Database file; `<key>.db` when absent. */
  readonly data?: string
  /** The key was never used: make the data although the key is there. */
  readonly firstStart?: boolean
  /** 127.0.0.1 and a free port when absent. */
  readonly listen?: { readonly host: string; readonly port: number }
  readonly limits?: Partial<HttpLimits>
  /** POSIX seconds. */
  readonly now?: () => number
  readonly report?: (event: WitnessEvent) => void
}

/** A witness that answers. */
export interface RunningWitness {
  readonly vkey: string
  readonly url: string
  readonly logs: readonly PinnedLog[]
  /** Replaces the logs; what is known of any log stays. Throws `policy-malformed`, and then changes nothing. */
  setLogs(logs: readonly (string | PinnedLog)[]): void
  /** Resolves with the error that made the witness stop by itself; it answers nothing more then. */
  readonly failure: Promise<Error>
  close(graceMs?: number): Promise<void>
}

/**
 * Opens key and data and answers tlog-witness requests.
 * @throws CountersignError `usage`, `io`, `key-invalid`, `policy-malformed`, `memory-locked` (another process has the
 *   data), `memory-corrupt`
 */
export async function openWitness(options: WitnessOptions): Promise<RunningWitness> {
  const key = await openWitnessKey(options.key, options.name)
  const store = await openSqliteStore({
    file: options.data ?? `${options.key}.db`,
    key: key.cosigner.key,
    vkey: key.vkey,
    mayCreate: key.isNew || options.firstStart === true,
  })
  try {
    // After the data: a key without data is one that must not sign.
    await key.save()
    return await serve(key, store, options)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function serve(key: WitnessKey, store: WitnessStore, options: WitnessOptions): Promise<RunningWitness> {
  const { listen = { host: '127.0.0.1', port: 0 }, report = () => undefined } = options
  const witness = makeWitness({
    cosigner: key.cosigner,
    logs: pinAll(options.logs),
    store,
    now: options.now ?? (() => Math.floor(Date.now() / 1000)),
    report,
  })
  let stop: (error: Error) => void = () => undefined
  const failure = new Promise<Error>((resolve) => (stop = resolve))
  const server = await openServer(witness, key.cosigner.key.name, {
    ...listen,
    limits: { ...DEFAULT_HTTP_LIMITS, ...options.limits },
    onFailure: (cause) => stop(cause instanceof Error ? cause : new Error('it failed', { cause })),
  })
  const close = once(async (graceMs?: number) => {
    await server.close(graceMs)
    await store.close()
  })
  void failure.then((error) => {
    report({ kind: 'failed', error })
    return close()
  })
  return {
    vkey: key.vkey,
    url: server.url,
    get logs() {
      return witness.logs()
    },
    setLogs: (logs) => witness.setLogs(pinAll(logs)),
    failure,
    close,
  }
}

function pinAll(logs: WitnessOptions['logs']): PinnedLog[] {
  return logs.map((log) => (typeof log === 'string' ? pinLog(log) : log))
}

function once(run: (graceMs?: number) => Promise<void>): (graceMs?: number) => Promise<void> {
  let running: Promise<void> | undefined
  return (graceMs) => (running ??= run(graceMs))
}
