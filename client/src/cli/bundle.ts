import { parseTrustRoot, refuse, type TrustRoot } from '../core/index.js'
import { parseOffline } from '../offline.js'
import type { Context, Input } from './context.js'
import { writeOutput } from './files.js'
import { openCliHost } from './host.js'
import { dim, green } from './output.js'
import { openPinned } from './pinned.js'
import { parseReference } from './reference.js'

interface Options {
  readonly out: string
  readonly since?: readonly string[]
}

const MAX_SINCE = 64

/** `countersign bundle`: verified before it is written; it proves itself again wherever it is used. */
export async function bundle(context: Context, { args, options }: Input<Options>): Promise<void> {
  const { server, version } = parseReference(args[0] ?? '')
  const since = readSizes(options.since)
  const host = await openCliHost(context)
  try {
    const verified = await host.verify(server, version)
    const bytes = await host.offlineBundle(server, verified.version, since)
    const { offlineMaxSeconds } = newestRoot(bytes, await openPinned(context)).freshness
    const { attestedAt } = await host.freshness()
    if (attestedAt === undefined) refuse('stale', 'nothing says how old this is', { step: 4 })
    const goodUntil = new Date((attestedAt + offlineMaxSeconds) * 1000).toISOString()
    const manifest = verified.digest
    print(
      context,
      options.out,
      { server, version: verified.version, manifest, offlineMaxSeconds, goodUntil },
      bytes,
    )
  } finally {
    await host.close()
  }
}

function readSizes(texts: readonly string[] = []): number[] {
  const sizes = texts.map(Number)
  if (sizes.length > MAX_SINCE || !sizes.every((size) => Number.isSafeInteger(size) && size > 0))
    refuse('usage', '--since is the size of a log, as a host remembers it')
  return sizes
}

/** The one that says how long an offline bundle counts. */
function newestRoot(bytes: Uint8Array, pinned: TrustRoot): TrustRoot {
  const note = parseOffline(bytes).roots.at(-1)
  const newest = note === undefined ? pinned : parseTrustRoot(note)
  return newest.version > pinned.version ? newest : pinned
}

interface About {
  readonly server: string
  readonly version: string
  readonly manifest: string
  readonly offlineMaxSeconds: number
  readonly goodUntil: string
}

function print(context: Context, out: string, about: About, bytes: Uint8Array): void {
  if (out !== '-') writeOutput(out, bytes)
  if (context.out.json && out === '-') {
    const bundle: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    context.out.result({ ...about, out: null, bundle }, [])
  } else if (out === '-') {
    context.out.bytes(bytes)
    context.out.say([dim(`counts offline until ${about.goodUntil}`)])
  } else {
    const said = ` ${out} (${about.server} ${about.version}, ${bytes.length} bytes)`
    const days = Math.floor(about.offlineMaxSeconds / 86_400)
    context.out.result({ ...about, out }, [
      [green('written'), said],
      [dim(`counts offline until ${about.goodUntil}: ${days} days from the registry’s last word in it`)],
    ])
  }
}
