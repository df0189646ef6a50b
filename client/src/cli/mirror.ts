import process from 'node:process'
import {
  lockMirror,
  mirrorOnce,
  openFolder,
  patientFetch,
  pause,
  type MirrorPorts,
  type MirrorReport,
} from '../mirror/index.js'
import { CountersignError, parseServerName, refuse } from '../core/index.js'
import { openRegistryApi, openRegistryReader } from '../node/registry-files.js'
import type { RegistryApiOptions } from '../registry-api.js'
import type { Context, Input } from './context.js'
import { Refused, report as reportFailure } from './failures.js'
import { registryOfHost } from './host.js'
import { dim, green, pairs, red, yellow, type Line } from './output.js'
import { openMemory, readPinned } from './pinned.js'
import { openReading, tokenFrom } from './reading.js'
import { asUsage } from './reference.js'
import { witnessLine } from './witnesses.js'

interface Options {
  readonly out: string
  readonly server?: readonly string[]
  readonly every?: string
  readonly again?: boolean
  readonly tokenFile?: string
}

/** For one request with all its tries. */
const REQUEST_MS = 120_000

type Run = () => Promise<void>

/** `countersign mirror`: once, or for as long as it is let. */
export async function mirror(context: Context, { options }: Input<Options>): Promise<void> {
  const seconds = readSeconds(options.every)
  const servers = readNames(options.server)
  const { out, signal } = context
  // A file name there holds no colon, and a digest does.
  if (process.platform === 'win32') refuse('usage', 'a mirror is written on Linux, macOS and their like')
  const folder = await openFolder(options.out)
  const lock = await lockMirror(folder.path)
  const run = openRun(context, {
    servers,
    folder,
    assertHeld: lock.assertHeld,
    again: options.again === true,
    ...(options.tokenFile !== undefined && { token: tokenFrom(options.tokenFile) }),
  })
  try {
    if (seconds === undefined) await run()
    while (seconds !== undefined) {
      await run().catch((error: unknown) => {
        signal.throwIfAborted()
        if (isTakenOver(error)) throw error
        // What one run could not do is for the next: a mirror that ends is a mirror that grows stale.
        reportFailure(error, out)
      })
      await pause(seconds * 1000, signal)
    }
  } finally {
    await lock.release()
  }
}

/** Another run writes this mirror now, and does what this one would. */
function isTakenOver(error: unknown): boolean {
  return error instanceof CountersignError && error.detail['reason'] === 'locked'
}

function readSeconds(every: string | undefined): number | undefined {
  if (every === undefined) return undefined
  const seconds = Number(every)
  if (!Number.isInteger(seconds) || seconds < 5 || seconds > 86_400)
    refuse('usage', '--every is 5 to 86400 seconds')
  return seconds
}

type Where = Pick<MirrorPorts, 'servers' | 'folder' | 'assertHeld' | 'again'> &
  Pick<RegistryApiOptions, 'token'>

function openRun(context: Context, { token, ...where }: Where): Run {
  return async () => {
    const { trust } = await readPinned(context)
    const registry = await registryOfHost(context)
    // A token that was handed over is the only one that is sent.
    const send = token === undefined ? openReading(context, registry) : fetch
    const source = patientFetch(context.signal, send)
    const http = { fetch: source.fetch, timeoutMs: REQUEST_MS, ...(token !== undefined && { token }) }
    const ports = {
      ...where,
      trust,
      api: openRegistryApi(registry, http),
      read: openRegistryReader(registry, http),
      memory: openMemory(context),
      now: () => Date.now(),
      progress: (text: string) => {
        // Out of a folder a run makes no request that would end it.
        context.signal.throwIfAborted()
        context.out.progress(text)
      },
    }
    const done = await mirrorOnce(ports, registry)
    const about = { out: where.folder.path, registry, requests: source.requests() }
    context.out.result({ ...about, ...done }, linesOf(done, about))
    if (done.leftOut.length > 0) throw new Refused('something was left out')
  }
}

function readNames(names: readonly string[] | undefined): 'all' | readonly string[] {
  if (names === undefined) return 'all'
  return [...new Set(names.map((name) => asUsage(() => parseServerName(name).name)))].sort()
}

function linesOf(done: MirrorReport, { out, requests }: { out: string; requests: number }): Line[] {
  const { size, entries, added, servers, bundles, leftOut } = done
  return [
    [green('mirrored'), ` ${done.identity}`, dim(` to ${out}`)],
    ...pairs([
      ['log', `${done.origin}, ${size} entries`],
      ['new', `${added} of ${entries} entries, ${bundles} bundles, ${requests} requests`],
      ['servers', String(servers)],
      ['attested', timeOf(done.attestedAt)],
      ['good until', `${timeOf(done.freshUntil)}, when hosts that read it call it stale`],
    ]),
    ...leftOut.map(({ what, code, said }): Line => [red('left out'), ` ${what} `, said, dim(` (${code})`)]),
    ...(done.unread === 0
      ? []
      : [[yellow('unread'), ` ${done.unread} entries are no events this program knows`]]),
    witnessLine(done.independentWitnesses),
  ]
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
