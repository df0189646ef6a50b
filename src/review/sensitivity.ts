import { manifestItems, parseServerName, type JsonObject, type Manifest } from 'countersign/core'
import type { AdmissionPolicy } from './policy.js'

/** Whether the policy asks for more persons because of what this server is, whatever changed. */
export function isSensitive({ sensitive }: AdmissionPolicy, manifest: Manifest): boolean {
  const { servers, destructive, scopes } = sensitive
  return (
    namesOf(manifest).some((name) => isListed(servers, name)) ||
    (destructive && mayDestroy(manifest)) ||
    manifest.tools.some(({ permissions }) => permissions.some(({ scope }) => scopes.includes(scope)))
  )
}

/** A voucher speaks for another server, and hosts take its word for that one. */
function namesOf({ server, subject }: Manifest): string[] {
  return subject?.server === undefined ? [server] : [server, subject.server]
}

/** Server names, or `NAMESPACE/*` for every server of exactly that namespace; case makes no other name. */
export function isListed(servers: readonly string[], server: string): boolean {
  const name = server.toLowerCase()
  const all = `${parseServerName(server).namespace.toLowerCase()}/*`
  return servers.some((listed) => listed.toLowerCase() === name || listed.toLowerCase() === all)
}

/**
 * A tool may destroy unless it says that it does not: MCP takes an absent `destructiveHint` for true, and so nobody
 * gets past this by saying nothing. The worst of its variants counts.
 */
function mayDestroy(manifest: Manifest): boolean {
  return manifestItems(manifest)
    .filter(({ kind }) => kind === 'tool')
    .flatMap(({ item }) => [item, ...(item.variants ?? [])])
    .some(({ definition }) => !saysHarmless(definition['annotations'] as JsonObject | undefined))
}

function saysHarmless(annotations: JsonObject = {}): boolean {
  return annotations['readOnlyHint'] === true || annotations['destructiveHint'] === false
}
