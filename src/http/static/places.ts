import { HttpProblem } from '../problems.js'
import type { Moving } from './moving.js'
import type { Source } from './sources.js'

/** Where a path leads: `path` in one spelling, `route` its pattern. */
export type Place = { readonly path: string; readonly route: string } & (
  | { readonly kind: 'moving'; readonly read: Moving }
  | { readonly kind: 'version'; readonly server: string; readonly version: string }
  | {
      readonly kind: 'source'
      /** What it is kept under: one spelling a document. */
      readonly key: string
      readonly source: Source
      readonly parts: readonly string[]
      readonly search: string
    }
)

const VERSION = /^\/v1\/servers\/([^/]+\/[^/]+)\/versions\/([^/]+)\/bundle$/

/** Throws HttpProblem where the path is no text at all. */
export function findPlace(
  target: string,
  moving: ReadonlyMap<string, Moving>,
  sources: readonly Source[],
): Place | undefined {
  const { path, search } = splitTarget(target)
  const read = moving.get(path)
  if (read !== undefined) return { kind: 'moving', path, route: path, read }
  const version = VERSION.exec(path)
  if (version !== null) {
    const route = '/v1/servers/:ns/:name/versions/:version/bundle'
    return { kind: 'version', path, route, server: version[1] ?? '', version: version[2] ?? '' }
  }
  for (const source of sources) {
    const match = source.pattern.exec(path)
    if (match === null) continue
    const key = search === '' ? path : `${path}?${search}`
    return { kind: 'source', path, route: source.route, key, source, parts: match.slice(1), search }
  }
  return undefined
}

/** Path and query; only the proof route has a query, so that no other document is kept twice. */
function splitTarget(target: string): { path: string; search: string } {
  const at = target.indexOf('?')
  const raw = at < 0 ? target : target.slice(0, at)
  const path = raw.includes('%') ? decodePath(raw) : raw
  return { path, search: at < 0 || path !== '/v1/consistency' ? '' : target.slice(at + 1) }
}

/** A slash in percent encoding separates nothing: whoever stands in front and closes a path knows it by its slashes. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path.replace(/%2f/gi, '%252F'))
  } catch {
    throw new HttpProblem('request-invalid', 'the path is not UTF-8 in percent encoding')
  }
}
