import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openWitness, type RunningWitness, type WitnessEvent } from '../../client/src/witness/index.js'
import { insist, onFreePort } from './ports.js'

/** What `countersign witness` runs, in this process, with key and data in a folder of its own. */
export interface TestWitness {
  readonly name: string
  readonly vkey: string
  readonly url: string
  /** Its line of a policy. */
  readonly policyLine: string
  /** What it told its operator, since the beginning. */
  readonly events: readonly WitnessEvent[]
  setLogs(vkeys: readonly string[]): void
  /** Nobody answers any more; what it knows stays. */
  stop(): Promise<void>
  /** Answers again, at the same place. */
  start(): Promise<void>
  /** As after a restored disk: the same key and place, and nothing known of any log. */
  forget(): Promise<void>
  /** Stops it and removes its folder. */
  remove(): Promise<void>
}

/** Starts a witness for the logs with these verifier keys, on a free loopback port. */
export async function startWitness(name: string, logVkeys: readonly string[]): Promise<TestWitness> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-witness-'))
  const data = join(folder, 'data.db')
  const events: WitnessEvent[] = []
  let logs = logVkeys
  const open = (port: number): Promise<RunningWitness> =>
    openWitness({
      ...{ key: join(folder, 'key'), data, name, logs },
      firstStart: true,
      listen: { host: '127.0.0.1', port },
      report: (event) => void events.push(event),
    })
  // It listens again on this port after a stop, and meanwhile nothing else may be given it.
  let running: RunningWitness | undefined = await onFreePort(open)
  const { vkey, url } = running
  const stop = async (): Promise<void> => {
    await running?.close(0)
    running = undefined
  }
  const start = async (): Promise<void> => {
    // Its address stands in a policy.
    running ??= await insist(() => open(Number(new URL(url).port)))
  }
  return {
    ...{ name, vkey, url, policyLine: `witness ${name} ${vkey} ${url}\n`, events },
    setLogs: (vkeys) => {
      logs = vkeys
      running?.setLogs(vkeys)
    },
    ...{ stop, start },
    forget: async () => {
      await stop()
      rmSync(data)
      await start()
    },
    remove: async () => {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
