import { CountersignError, refuse, type Facts } from '../core/index.js'
import { compareSurfaces, itemLabel, type Difference } from './compare.js'
import { serverEnvironment } from './environment.js'
import { machineFacts } from '../node/facts.js'
import { findPackage, type FoundPackage } from './package.js'
import type { Session } from './session.js'
import { proposeSlots, type SlotProposal } from './slots.js'
import { readListing, readSurface, type Listing, type Surface, type SurfaceLimits } from './surface.js'

export interface CaptureTarget {
  /** A program and its arguments; exactly one of `command` and `url`. */
  readonly command?: readonly string[]
  readonly url?: string
  /** `NAME` or `NAME=VALUE`, beyond what every program needs. */
  readonly env?: readonly string[]
  readonly cwd?: string
  /** For a URL: headers such as Authorization. They are sent and never recorded. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface CaptureOptions {
  /** ms for a process to answer `initialize`; 120 000 by default, npx may be downloading. */
  readonly startMs?: number
  /** ms for each later answer; 30 000 by default. */
  readonly answerMs?: number
  readonly onProgress?: (said: string) => void
  readonly signal?: AbortSignal
}

/** What two fresh processes of one server showed. */
export interface Capture {
  readonly surface: Surface
  /** Places where a fact of this machine stands. */
  readonly slots: readonly SlotProposal[]
  /** What was not the same twice and no slot explains: such items would be withheld from hosts. */
  readonly unstable: readonly Difference[]
  readonly package?: FoundPackage
  readonly url?: string
  /** Environment variables the server was given on request, by name. */
  readonly envNames: readonly string[]
}

interface Run {
  readonly surface: Surface
  readonly facts: Facts
}

/**
 * Starts the real server twice, in fresh processes, reads its whole surface from the bytes it sends, and compares the
 * two: what differs, or equals a fact of this machine, becomes a slot proposal; the rest is reported.
 * @throws CountersignError `capture-failed` when the server cannot be captured; `usage` for a malformed target
 * @example
 * const capture = await captureServer({ command: ['npx', '-y', 'weather-mcp@1.4.0'] })
 */
export async function captureServer(target: CaptureTarget, options: CaptureOptions = {}): Promise<Capture> {
  const { env, names } = serverEnvironment(target.env ?? [])
  const open = opener(target, env)
  const read = async (session: Session, limits: SurfaceLimits): Promise<Run> => {
    return { surface: await readSurface(session, limits), facts: machineFacts(target.cwd) }
  }
  const first = await runOnce(open, read, options, 'first start')
  const second = await runOnce(open, read, options, 'second start')
  const found = target.command === undefined ? undefined : findTarget(target.command, target.cwd)
  return {
    surface: first.surface,
    ...explain(first, second, target.url !== undefined),
    ...(found !== undefined && { package: found }),
    ...(target.url !== undefined && { url: target.url }),
    envNames: names,
  }
}

/** One start only: what a server lists now, for a check against something signed. */
export async function listServer(target: CaptureTarget, options: CaptureOptions = {}): Promise<Listing> {
  const { env } = serverEnvironment(target.env ?? [])
  return await runOnce(opener(target, env), readListing, options, 'start')
}

type Opener = () => Promise<Session>

function opener(target: CaptureTarget, env: Record<string, string>): Opener {
  const { command, url } = target
  if ((command === undefined) === (url === undefined)) refuse('usage', 'give a command or a URL, one of them')
  if (url !== undefined) {
    return async () => (await import('./http-session.js')).openHttpSession(url, target.headers ?? {})
  }
  const [program, ...args] = command ?? []
  if (program === undefined || program === '') refuse('usage', 'the command is empty')
  const options = { command: program, args, env, ...(target.cwd !== undefined && { cwd: target.cwd }) }
  return async () => (await import('./stdio-session.js')).openStdioSession(options)
}

type Reader<T> = (session: Session, limits: SurfaceLimits) => Promise<T>

/** A fresh process or connection, which ends with this call whatever happens. */
async function runOnce<T>(open: Opener, read: Reader<T>, options: CaptureOptions, name: string): Promise<T> {
  options.onProgress?.(name)
  options.signal?.throwIfAborted()
  const session = await open()
  const abort = (): void => void session.close()
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    return await read(session, { startMs: options.startMs ?? 120_000, answerMs: options.answerMs ?? 30_000 })
  } catch (error) {
    throw withComplaint(error, session)
  } finally {
    options.signal?.removeEventListener('abort', abort)
    await session.close()
  }
}

/** A server that failed usually said why on stderr. */
function withComplaint(error: unknown, session: Session): unknown {
  if (!(error instanceof CountersignError) || session.complaint.trim() === '') return error
  const detail = { ...error.detail, stderr: session.complaint.slice(-1000), noise: session.noise }
  return new CountersignError(error.code, error.message, detail, { cause: error })
}

function findTarget(command: readonly string[], cwd?: string): FoundPackage | undefined {
  const [program = '', ...args] = command
  return findPackage(program, args, cwd)
}

function explain(
  first: Run,
  second: Run,
  remote: boolean,
): { slots: SlotProposal[]; unstable: Difference[] } {
  const twins = new Map(second.surface.items.map((item) => [itemLabel(item), item]))
  const whole = compareSurfaces(first.surface, second.surface).filter((one) => one.pointer === undefined)
  const found = first.surface.items.flatMap((item) => {
    const twin = twins.get(itemLabel(item))
    if (twin === undefined) return []
    return [
      proposeSlots(
        { item, facts: usable(first.facts, remote) },
        { item: twin, facts: usable(second.facts, remote) },
      ),
    ]
  })
  return {
    slots: found.flatMap((one) => one.proposals),
    unstable: [...whole, ...found.flatMap((one) => one.unexplained)],
  }
}

/** A remote server runs elsewhere: of our own facts only the date can be its (PROTOCOL 3). */
function usable(facts: Facts, remote: boolean): Facts {
  return remote ? { date: facts['date'] } : facts
}
