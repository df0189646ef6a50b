import { CountersignError, parseText, refuse } from '../core/index.js'
import { openWitness, parseLogs, pinLog, type RunningWitness, type WitnessEvent } from '../witness/index.js'
import type { Context, Input } from './context.js'
import { readInput } from './files.js'
import { dim, green, indented, pairs, quoted, red, type Line, type Output } from './output.js'

interface Options {
  readonly key: string
  readonly listen: string
  readonly name?: string
  readonly logs?: string
  readonly log?: readonly string[]
  readonly data?: string
  readonly firstStart?: boolean
}

/** `countersign witness`: says once on stdout where it answers; what happens after that goes to stderr. */
export async function witness(context: Context, { options }: Input<Options>): Promise<void> {
  const { out, signal } = context
  const hangUp = takeHangUp()
  try {
    const running = await openWitness({
      key: options.key,
      listen: parseListen(options.listen),
      logs: readLogs(options),
      ...(options.name !== undefined && { name: options.name }),
      ...(options.data !== undefined && { data: options.data }),
      ...(options.firstStart === true && { firstStart: true }),
      report: (event) => sayEvent(out, event),
    })
    hangUp.onSignal(() => reload(out, running, options))
    greet(out, running)
    const failure = await Promise.race([running.failure, aborted(signal)])
    await running.close()
    if (failure !== undefined) throw failure
  } finally {
    hangUp.giveBack()
  }
}

/** `[HOST:]PORT`, an IPv6 address in brackets. @throws CountersignError `usage` */
export function parseListen(text: string): { host: string; port: number } {
  const [, bracketed, plain, digits = ''] =
    /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text) ?? []
  const port = digits === '' ? Number.NaN : Number(digits)
  if (!(port <= 65_535)) refuse('usage', '--listen takes [HOST:]PORT', { listen: text.slice(0, 80) })
  return { host: bracketed ?? plain ?? '127.0.0.1', port }
}

function readLogs({ logs, log = [] }: Options): ReturnType<typeof parseLogs> {
  const listed = logs === undefined ? [] : parseLogs(parseText(readInput(logs)))
  return [...listed, ...log.map((vkey) => pinLog(vkey))]
}

/** A file that does not read leaves the logs as they are: a witness that stops helps nobody. */
function reload(out: Output, running: RunningWitness, options: Options): void {
  try {
    running.setLogs(readLogs(options))
    out.say(`logs read again: ${running.logs.length}`)
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    out.say([red('the logs stay as they are'), `: ${error.message} (${error.code})`])
  }
}

function greet(out: Output, { vkey, url, logs }: RunningWitness): void {
  const origins = logs.map(({ origin }) => origin)
  const rows = pairs([['key', vkey], ['url', url], ...origins.map((origin) => ['log', origin] as const)])
  out.result({ vkey, url, logs: origins }, rows)
  if (origins.length === 0) out.say('no logs yet: add `log VKEY` lines to the file of --logs and send SIGHUP')
}

function sayEvent(out: Output, event: WitnessEvent): void {
  for (const line of linesOf(event)) out.say(line)
}

function linesOf(event: WitnessEvent): Line[] {
  const time = dim(`${new Date().toISOString()} `)
  if (event.kind === 'failed')
    return [[time, red('the witness stops'), ': its data may not be what it signed']]
  if (event.kind === 'clock-behind') {
    const said = ` is behind what was signed for ${event.origin}: set it, or make a new key`
    return [[time, red('the clock'), said]]
  }
  if (event.kind === 'cosigned')
    return [[time, green('cosigned'), ` ${event.origin} ${event.from} -> ${event.size}`]]
  return [
    [time, red('two histories'), ` signed by ${event.origin}; keep both notes as evidence`],
    ...indented(quoted(event.known)),
    ...indented(quoted(event.refused)),
  ]
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** SIGHUP ends every other command; here it means "read the logs again", as for daemons everywhere. */
function takeHangUp(): { onSignal(run: () => void): void; giveBack(): void } {
  const others = process.listeners('SIGHUP')
  let run = (): void => undefined
  const listener = (): void => run()
  for (const other of others) process.off('SIGHUP', other)
  process.on('SIGHUP', listener)
  return {
    onSignal: (next) => (run = next),
    giveBack: () => {
      process.off('SIGHUP', listener)
      for (const other of others) process.on('SIGHUP', other)
    },
  }
}
