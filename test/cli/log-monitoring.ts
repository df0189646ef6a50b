import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorLog, type MonitorOptions } from '../../client/src/cli/log/log-monitor.js'
import { exitCodeOf } from '../../client/src/cli/failures.js'
import { writeTrust } from '../../client/src/node/index.js'
import type { LogWorld } from './log-world.js'

/** One line of `--json`. */
export interface Told {
  readonly type: 'event' | 'alert' | 'lie' | 'checkpoint' | 'summary' | 'error'
  readonly [member: string]: unknown
}

export interface Watched {
  readonly code: number
  /** The code of what ended it before its end. */
  readonly failure?: string
  readonly lines: readonly Told[]
  /** `code` of each lie. */
  readonly lies: readonly string[]
  readonly alerts: readonly string[]
  /** `t` of each event. */
  readonly events: readonly string[]
}

/** A person's folder with a monitor that watches this registry. */
export interface MonitorDesk {
  readonly home: string
  readonly state: string
  readonly run: (options?: MonitorOptions, signal?: AbortSignal) => Promise<Watched>
  readonly evidenceOf: (watched: Watched) => Record<string, unknown>[]
  readonly close: () => Promise<void>
}

export async function openMonitorDesk(world: LogWorld): Promise<MonitorDesk> {
  const { url, close } = await world.serve()
  const home = mkdtempSync(join(tmpdir(), 'countersign-monitor-'))
  await writeTrust({ ...world.trust, registry: url }, home)
  const state = join(home, 'state')
  return {
    home,
    state,
    run: (options = {}, signal = new AbortController().signal) =>
      watch({ home, url, signal }, { state, ...options }),
    evidenceOf: ({ lines }) =>
      lines
        .filter(({ evidence }) => typeof evidence === 'string')
        .map(({ evidence }) => JSON.parse(readFileSync(String(evidence), 'utf8')) as Record<string, unknown>),
    async close() {
      await close()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

async function watch(
  { home, url, signal }: { home: string; url: string; signal: AbortSignal },
  options: MonitorOptions,
): Promise<Watched> {
  let text = ''
  const nothing = (): void => undefined
  const bytes = (data: Uint8Array | string): void => {
    text += Buffer.from(data).toString('utf8')
  }
  const out = { json: true, result: nothing, bytes, say: nothing, progress: nothing }
  const context = { out, home, env: {}, registry: url, signal }
  let error: unknown
  await monitorLog(context, { args: [], options }, { waitMs: 1, saveEvery: 1 }).catch(
    (cause: unknown) => (error = cause),
  )
  const lines = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Told)
  const of = (type: Told['type'], member: string): string[] =>
    lines.filter((line) => line.type === type).map((line) => String(line[member]))
  const [failed] = lines.filter(({ type }) => type === 'error')
  const failure =
    failed !== undefined
      ? String((failed['error'] as { code: unknown }).code)
      : error instanceof Error && 'code' in error
        ? String(error.code)
        : undefined
  return {
    code: error === undefined ? 0 : exitCodeOf(error),
    ...(failure !== undefined && { failure }),
    lines: lines.filter(({ type }) => type !== 'error'),
    lies: of('lie', 'code'),
    alerts: of('alert', 'code'),
    events: of('event', 't'),
  }
}
