import { parseManifest } from '../core/index.js'
import { inspectManifest } from '../gates/index.js'
import type { Context, Input } from './context.js'
import { Refused } from './failures.js'
import { readInput } from './files.js'
import { findingLines } from './findings.js'
import { bold } from './output.js'

/** `countersign lint`: the registry's own rules; the names it knows are not known here. */
export function lint(context: Context, { args }: Input): Promise<void> {
  const manifest = parseManifest(readInput(args[0] ?? '-'))
  const findings = inspectManifest(manifest, { knownServers: [] })
  const refused = findings.some((finding) => finding.refuse)
  const held = findings.some((finding) => finding.held)
  context.out.result({ server: manifest.server, version: manifest.version, refused, held, findings }, [
    [bold(`${manifest.server} ${manifest.version}`)],
    ...findingLines(findings.map((finding) => ({ ...finding }))),
    refused
      ? 'The registry would refuse this.'
      : held
        ? 'The registry would hold this for a reviewer.'
        : 'Ready to sign.',
  ])
  return refused ? Promise.reject(new Refused('the gates refuse this')) : Promise.resolve()
}
