import type { Manifest } from '../core/index.js'
import { collect, type Finding, type GateFacts } from './finding.js'
import { inspectLength } from './limits.js'
import { inspectNames } from './names.js'
import { inspectSchemas } from './schema.js'
import { inspectText, inspectTwins } from './text.js'
import { walk } from './walk.js'

export type { Finding, GateFacts, Severity } from './finding.js'
export { showHidden } from './unicode.js'

/**
 * What the rules find in a manifest: look-alike names, hidden characters, schemas that point elsewhere, explode or
 * carry instructions. Pure, and linear in the manifest; reports at most 41 findings a rule. Finding nothing proves
 * nothing: a rule sees spelling, a reviewer judges meaning.
 *
 * @param manifest as `parseManifest` or `checkManifest` returned it
 * @param facts what is known around it
 * @example
 * const held = inspectManifest(manifest, { knownServers: [] }).filter((finding) => finding.held)
 */
export function inspectManifest(manifest: Manifest, facts: GateFacts): Finding[] {
  return collect((report) => {
    inspectNames(manifest, facts, report)
    walk(manifest, [], {
      text: (text, path, isName) => {
        inspectText(text, path, isName, report)
        inspectLength(text, path, report)
      },
      container: (value, path) => inspectTwins(value, path, report),
    })
    inspectSchemas(manifest, report)
  })
}
