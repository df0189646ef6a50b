import { existsSync } from 'node:fs'
import { CountersignError, decodeBase64url, parseBundle, parseManifest, refuse } from '../core/index.js'
import { parseOffline } from '../offline.js'
import type { VerifiedManifest } from '../verify.js'
import type { Context, Input } from './context.js'
import { readInput } from './files.js'
import { openCliHost } from './host.js'
import { bold, dim, green, pairs, type Line } from './output.js'
import { parseReference, type ServerReference } from './reference.js'
import { witnessLine } from './witnesses.js'

/** `countersign verify`: every step of the verification, or the one that refused. */
export async function verify(
  context: Context,
  { args, options }: Input<{ offline?: boolean }>,
): Promise<void> {
  const text = args[0] ?? ''
  const file = isFile(text) ? readInput(text) : undefined
  if (options.offline === true && file === undefined) refuse('usage', '--offline goes with a bundle file')
  const wanted = file === undefined ? parseReference(text) : aboutOf(file)
  const host = await openCliHost(
    context,
    options.offline === true && file !== undefined ? { offline: file } : undefined,
  )
  try {
    const verified = await host.verify(wanted.server, wanted.version)
    printVerified(context, verified)
  } finally {
    await host.close()
  }
}

/** A file of that name, unless it reads as a server's name. */
function isFile(text: string): boolean {
  return (
    text === '-' || (existsSync(text) && !/^[a-z0-9-]+(\.[a-z0-9-]+)+\/[A-Za-z0-9._-]+(@.*)?$/.test(text))
  )
}

/** Which version a bundle claims to be about: only a question, the proof answers it. */
function aboutOf(file: Uint8Array): ServerReference {
  try {
    const { server, version } = parseOffline(file)
    return { server, version }
  } catch (error) {
    // The bare evidence, as `GET /v1/bundles/{digest}` serves it, is not for use offline but can be asked about.
    if (!(error instanceof CountersignError) || error.code !== 'bundle-malformed') throw error
    const payload = decodeBase64url(parseBundle(file).envelope.split('.')[1] ?? '')
    const { server, version } = parseManifest(payload)
    return { server, version }
  }
}

function printVerified(context: Context, verified: VerifiedManifest): void {
  const { server, version, digest, role, kid, publishIndex, approveIndex, deciders, soleDecider } = verified
  const { independentWitnesses, steps, manifest } = verified
  const head = {
    verdict: 'verified',
    server,
    version,
    manifest: digest,
    role,
    kid,
    publishIndex,
    approveIndex,
  }
  context.out.result(
    { ...head, deciders, soleDecider, independentWitnesses, tools: manifest.tools.length, steps },
    [
      [green('verified'), ' ', bold(`${server} ${version}`), ` (${role}, ${manifest.tools.length} tools)`],
      ...steps.map((one): Line => [dim(`  ${String(one.step).padStart(2)}  `), one.found]),
      ...pairs([
        ['manifest', digest],
        ['signed by', kid],
        [
          'decided by',
          `${deciders.join(', ')}${soleDecider ? ' (alone: the registry has one account)' : ''}`,
        ],
      ]),
      witnessLine(independentWitnesses),
    ],
  )
}
