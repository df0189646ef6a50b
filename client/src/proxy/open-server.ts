import { refuse } from '../core/index.js'
import {
  guardTransport,
  type GuardedTransport,
  type GuardListener,
  type GuardOptions,
} from '../guard/index.js'
import { eraFile } from './era-memory.js'
import { KnownHeaderParams } from './param-headers.js'
import { ProbedServer } from './probed-server.js'
import { describeEvent } from './report.js'
import type { Server } from './server.js'
import { StdioServer } from './stdio-server.js'
import type { CommandTarget, Log, UrlTarget } from './target.js'

/** What every guard that is a process takes: the guard's own options, and the one server it stands before. */
export interface ProxyOptions extends GuardOptions, Partial<CommandTarget>, Partial<Omit<UrlTarget, 'url'>> {
  /** A folder that remembers which launches speak the 2025 era; without it each start finds out anew. */
  readonly eras?: string
  /** Where lines for people go; default: stderr, where the server's own stderr goes too. */
  readonly log?: Log
}

/** A server behind its guard, not started yet. */
export interface Guarded {
  readonly server: Server
  readonly guarded: GuardedTransport
  readonly params: KnownHeaderParams
}

/**
 * Opens the server that the options name, a command before a URL, and puts the guard before it.
 * @throws CountersignError `usage` without a server
 */
export async function openGuarded(
  options: ProxyOptions,
  log: Log,
  onEvent?: GuardListener,
): Promise<Guarded> {
  const params = new KnownHeaderParams()
  const server = await openServer(options, params)
  const report = reporter(log)
  const guarded = guardTransport(server, {
    ...options,
    ...(await tokenOf(options)),
    onEvent: (event) => {
      params.learn(event)
      report(event)
      onEvent?.(event)
    },
  })
  return { server, guarded, params }
}

async function openServer(options: ProxyOptions, params: KnownHeaderParams): Promise<Server> {
  const { command, args = [], env, cwd, url, headers, serverToken, eras } = options
  if (command !== undefined) {
    const target = { command, args, ...(env && { env }), ...(cwd !== undefined && { cwd }) }
    return new ProbedServer(
      () => new StdioServer(target),
      eras === undefined ? undefined : eraFile(eras, target),
    )
  }
  if (url === undefined) refuse('usage', 'name the server: a command or a URL')
  // What speaks HTTP is loaded by whoever needs it: a guard starts with every server.
  const { RemoteServer } = await import('./remote-server.js')
  return new RemoteServer({ url, ...(headers && { headers }), ...(serverToken && { serverToken }) }, params)
}

async function tokenOf({ token, serverToken }: ProxyOptions): Promise<Pick<GuardOptions, 'token'>> {
  if (token !== undefined || serverToken === undefined) return {}
  const { tokenFacts } = await import('../tokens/index.js')
  return { token: tokenFacts(serverToken) }
}

/** Lines about dropped frames for one reason; a server may send them for ever. */
const MAX_DROP_LINES = 10

function reporter(log: Log): GuardListener {
  const drops = new Map<string, number>()
  return (event) => {
    if (event.type === 'frame-dropped') {
      const kind = `${event.from} ${event.reason}`
      const count = (drops.get(kind) ?? 0) + 1
      drops.set(kind, count)
      if (count > MAX_DROP_LINES) return
    }
    const line = describeEvent(event)
    if (line !== undefined) log(line)
  }
}
