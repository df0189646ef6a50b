import type { Manifest } from 'countersign/core'

/**
 * What hosts find a manifest by: `npm:NAME`, `npm:NAME@VERSION`, `url:URL`, and for a voucher `server:NAME`
 * of the server it speaks of.
 */
export function lookupKeys(manifest: Manifest): string[] {
  const { subject } = manifest
  const packages = [...(manifest.packages ?? []), ...(subject?.packages ?? [])]
  const remotes = [...(manifest.remotes ?? []), ...(subject?.remotes ?? [])]
  const keys = [
    ...packages.flatMap(({ registryType, identifier, version }) =>
      packageKeys(registryType, identifier, version),
    ),
    ...remotes.map(({ url }) => urlKey(url)),
    ...(subject?.server === undefined ? [] : [`server:${subject.server}`]),
  ]
  return [...new Set(keys)]
}

function packageKeys(type: string, identifier: string, version: string | undefined): string[] {
  const name = `${type}:${identifier}`
  return version === undefined ? [name] : [name, `${name}@${version}`]
}

/**
 * One spelling of a URL: what the WHATWG parser makes of it; a template that it cannot parse stays as it is.
 */
export function urlKey(url: string): string {
  return `url:${URL.canParse(url) ? new URL(url).href : url}`
}
