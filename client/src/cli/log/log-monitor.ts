import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { CountersignError, parseDecimal, parseNamespace, refuse } from '../../core/index.js'
import { openTrust } from '../../trust.js'
import { registryUrl, type Context, type Input } from '../context.js'
import { Ended, EXIT, exitCodeOf, Refused } from '../failures.js'
import { readPinned, readRemembered } from '../pinned.js'
import { asUsage } from '../reference.js'
import { auditLog, type AuditOptions } from './audit.js'
import { openEvidence, type EvidenceFolder } from './evidence.js'
import { lieAt, type Lie } from './lie.js'
import { openReport, type Report, type Told } from './report.js'
import type { Pinned } from './roots.js'
import { isAboutServed, openSource } from './source.js'
import { openStateFile, type StateFile } from './state-file.js'
import { watchNamespaces } from './watch.js'
import { openReading } from '../reading.js'

/** Exit code of a run that has something to tell and found no lie: events of watched namespaces, or alerts. */
export const TOLD = 5

export interface MonitorOptions {
  readonly namespace?: readonly string[]
  readonly state?: string
  readonly from?: string
  readonly evidence?: string
  readonly tiles?: string
  readonly every?: string
}

/** A timer of the runtime that is set for longer than some weeks rings at once. */
const MAX_EVERY = 7 * 86_400

/** How long to wait before what seems old is read again, and how often to save. */
export type Timing = Pick<AuditOptions, 'waitMs' | 'saveEvery'>

interface Monitor {
  readonly timing: Timing
  readonly context: Context
  readonly pinned: Pinned
  readonly registry: string
  readonly namespaces: readonly string[]
  readonly tiles: AuditOptions['tiles']
  readonly state: StateFile
  readonly evidence: EvidenceFolder
  readonly report: Report
}

/** A log that lies in more places than this lies enough: the rest is counted. */
const MAX_TOLD_LIES = 100

/** `countersign log monitor`: one audit from where the last one ended, or one after the other. */
export async function monitorLog(
  context: Context,
  { options }: Input<MonitorOptions>,
  timing: Timing = {},
): Promise<void> {
  try {
    await watchLog(context, options, timing)
  } catch (error) {
    // One object a line, whatever it is that ends it.
    if (error instanceof Ended || context.signal.aborted || !context.out.json) throw error
    openReport(context.out).error(error)
    throw new Ended(exitCodeOf(error))
  }
}

async function watchLog(context: Context, options: MonitorOptions, timing: Timing): Promise<void> {
  const every = options.every === undefined ? undefined : wholeOf('--every', options.every, 1, MAX_EVERY)
  let from = options.from === undefined ? undefined : wholeOf('--from', options.from, 0)
  const monitor = { ...(await openMonitor(context, options)), timing }
  let code = 0
  for (;;) {
    code = worse(code, await runOnce(monitor, from, every !== undefined))
    if (every === undefined || !(await pause(every, context.signal))) break
    from = undefined
  }
  if (code === EXIT.refused) throw new Refused('the log lies')
  if (code !== EXIT.ok) throw new Ended(code)
}

async function openMonitor(context: Context, options: MonitorOptions): Promise<Omit<Monitor, 'timing'>> {
  const registry = registryUrl(context)
  const { trust } = await readPinned({ ...context, registry })
  const root = openTrust(trust)
  const { identity } = root
  const folder = join(context.home, 'monitor')
  const { tiles = 'new' } = options
  if (tiles !== 'all' && tiles !== 'new') refuse('usage', '--tiles is all or new')
  return {
    context,
    pinned: { root, ...(trust.fingerprint !== undefined && { fingerprint: trust.fingerprint }) },
    registry,
    namespaces: (options.namespace ?? []).map((one) => asUsage(() => parseNamespace(one))),
    tiles,
    state: await openStateFile(options.state ?? join(folder, `${identity}.state`), identity),
    evidence: openEvidence(options.evidence ?? join(folder, 'evidence'), { identity, registry }),
    report: openReport(context.out),
  }
}

function wholeOf(name: string, text: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const value = asUsage(() => parseDecimal(text))
  if (value < min) refuse('usage', `${name} takes a number from ${min} on`)
  return value > max ? refuse('usage', `${name} takes a number up to ${max}`) : value
}

/** What a person must hear of first: a lie, then that nothing could be asked, then what there is to tell. */
function worse(a: number, b: number): number {
  const order: readonly number[] = [EXIT.ok, TOLD, EXIT.unreachable, EXIT.refused]
  return order.indexOf(a) >= order.indexOf(b) ? a : b
}

/** @returns false when the person ended it */
async function pause(seconds: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false
  try {
    await setTimeout(seconds * 1000, undefined, { signal })
    return true
  } catch {
    return false
  }
}

/** One audit; the exit code it deserves. A registry that does not answer is told of, and ends only this audit. */
async function runOnce(monitor: Monitor, from: number | undefined, isLong: boolean): Promise<number> {
  const { context, report, evidence } = monitor
  const told = { events: 0, alerts: 0, lies: 0 }
  const findings = openFindings(report, evidence, told)
  try {
    const audit = await auditLog({ ...(await auditOptions(monitor, from)), findings })
    report.end(audit, told)
  } catch (error) {
    if (context.signal.aborted) {
      // What was told is not told again: the code says it all the same.
      if (!isLong && told.events + told.alerts + told.lies === 0) throw error
    } else if (isSilence(error, isLong)) {
      findings.alert({ code: 'registry-unreachable', said: error.message })
      // Between two rounds of a long watch the next one asks again.
      if (told.lies === 0 && !isLong) return EXIT.unreachable
    } else if (isAboutServed(error) && error.code !== 'registry-error') {
      findings.lie(lieOf(error))
    } else throw error
  }
  if (told.lies > 0) return EXIT.refused
  return told.events + told.alerts > 0 ? TOLD : EXIT.ok
}

/** Nobody answers; to a long watch neither does who has no checkpoint for it, which ends nothing. */
function isSilence(error: unknown, isLong: boolean): error is CountersignError {
  if (!(error instanceof CountersignError)) return false
  return error.code === 'registry-unreachable' || (isLong && error.code === 'registry-error')
}

async function auditOptions(
  { context, pinned, registry, namespaces, tiles, state, timing }: Monitor,
  from: number | undefined,
): Promise<Omit<AuditOptions, 'findings'>> {
  const { out, signal } = context
  return {
    source: openSource(registry, signal, openReading(context, registry)),
    ...{ pinned, signal, from, tiles, ...timing },
    progress: state.progress,
    remembered: await readRemembered(context),
    watch: watchNamespaces(namespaces),
    now: Date.now(),
    onProgress: (position, end) => out.progress(`entry ${position} of ${end}`),
    onVerified: (progress) => state.write(progress),
  }
}

function openFindings(
  report: Report,
  evidence: EvidenceFolder,
  told: { -readonly [name in keyof Told]: number },
): AuditOptions['findings'] {
  return {
    lie(lie) {
      told.lies += 1
      // Two signed histories are what all the rest may be there to hide.
      if (told.lies <= MAX_TOLD_LIES || lie.code === 'equivocation') report.lie(lie, evidence.keep(lie))
    },
    alert(alert) {
      told.alerts += 1
      report.alert(alert, alert.documents && evidence.keep(alert))
    },
    event(event) {
      told.events += 1
      report.event(event)
    },
  }
}

/** What ended an audit before there was a tree to replay. */
function lieOf({ code, message, detail }: CountersignError): Lie {
  const { note } = detail
  return lieAt(0, code, message, typeof note === 'string' ? { notes: [note] } : undefined)
}
