import { formatManifest, parseManifest } from '../core/index.js'
import { captureServer, compareWithManifest, type Capture } from '../publish/index.js'
import type { Context, Input } from './context.js'
import { describe, type DescribeOptions } from './describe.js'
import { Refused } from './failures.js'
import { readInput, writeOutput } from './files.js'
import { green, red, yellow, type Line } from './output.js'
import { captureDocument, captureLines } from './surface-report.js'
import { captureOptions, readTarget, type TargetOptions } from './target.js'

interface Options extends DescribeOptions, TargetOptions {
  readonly server?: string
  readonly out: string
  readonly voucher?: boolean
  readonly check?: string
}

/** `countersign capture`: start it twice, compare, and write what it showed. */
export async function capture(context: Context, { args, options }: Input<Options>): Promise<void> {
  const target = readTarget(args, options)
  if (options.check !== undefined) {
    const signed = parseManifest(readInput(options.check))
    const shown = await captureServer(target, captureOptions(context, options))
    checkSurface(context, shown, compareWithManifest(shown, signed), signed.version)
    return
  }
  const shown = await captureServer(target, captureOptions(context, options))
  const role = options.voucher === true ? 'voucher' : 'publisher'
  const manifest = await describe(context, shown, { name: options.server, role, options })
  for (const line of captureLines(shown)) context.out.say(line)
  writeManifest(context, shown, formatManifest(manifest), options.out)
}

function writeManifest(context: Context, shown: Capture, payload: Uint8Array, out: string): void {
  if (out !== '-') writeOutput(out, payload)
  if (context.out.json) {
    const manifest: unknown = JSON.parse(Buffer.from(payload).toString('utf8'))
    context.out.result({ ...captureDocument(shown), out: out === '-' ? null : out, manifest }, [])
  } else if (out === '-') context.out.bytes(payload)
  else context.out.result({}, [[green('written'), ` ${out} (${payload.length} bytes, unsigned)`]])
}

/** A release whose surface is not what its manifest says needs a version of its own. */
function checkSurface(
  context: Context,
  shown: Capture,
  changes: ReturnType<typeof compareWithManifest>,
  version: string,
): void {
  const actual = shown.package?.ref.version
  const renewed = actual !== undefined && actual !== version
  const lines = changes.map((one): Line => [red(one.what), ` ${one.item}`])
  if (changes.length === 0) lines.push([green('unchanged'), ' the server shows what the manifest says'])
  else if (renewed) lines.push([yellow('new version'), ` ${actual} is not ${version}: capture and sign it`])
  else lines.push(`The surface changed without a new version: raise the version, capture again, and sign.`)
  context.out.result({ version, actual: actual ?? null, changes, unstable: shown.unstable }, lines)
  if (changes.length > 0 && !renewed) throw new Refused('the surface changed without a new version')
}
