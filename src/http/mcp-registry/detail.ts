import type { Manifest } from 'countersign/core'
import {
  iconShape,
  MAX_DESCRIPTION,
  repositoryShape,
  SERVER_SCHEMA,
  serverDetail,
  type ServerDetail,
} from './server-json.js'

/**
 * The manifest as server.json says it. Ornaments that have another shape there are left out: an icon, a repository
 * whose host nobody names. What says how a server is started is said whole, or the entry is none.
 * @throws ZodError
 */
export function serverDetailOf(manifest: Manifest): ServerDetail {
  const { server, version, title, websiteUrl } = manifest
  const packages = packagesOf(manifest)
  const remotes = remotesOf(manifest)
  return serverDetail.parse({
    $schema: SERVER_SCHEMA,
    name: server,
    description: descriptionOf(manifest),
    ...(title !== undefined && { title }),
    version,
    ...repositoryOf(manifest),
    ...(websiteUrl !== undefined && URL.canParse(websiteUrl) && { websiteUrl }),
    ...iconsOf(manifest),
    ...(packages.length > 0 && { packages }),
    ...(remotes.length > 0 && { remotes }),
  })
}

function descriptionOf({ description, title, server }: Manifest): string {
  const told = [description, title].map((text) => text?.trim() ?? '').find((text) => text !== '')
  return cutAtWord(told ?? server, MAX_DESCRIPTION)
}

/** As many whole words as fit, and a sign that there are more; a word alone that is too long is cut between characters. */
export function cutAtWord(text: string, most: number): string {
  if (text.length <= most) return text
  const room = text.slice(0, most)
  const lastGap = room.search(/\s\S*$/)
  if (lastGap > most / 2) return `${room.slice(0, lastGap).trimEnd()}…`
  let cut = ''
  for (const { segment } of new Intl.Segmenter().segment(text.slice(0, 2 * most))) {
    if (cut.length + segment.length >= most) break
    cut += segment
  }
  return `${cut}…`
}

/** Without a word on how to speak to it, a package is started as a command. */
function packagesOf({ packages, subject }: Manifest): object[] {
  return (packages ?? subject?.packages ?? []).map((one) => ({ transport: { type: 'stdio' }, ...one }))
}

/** A voucher that names the URL alone names today's transport by it. */
function remotesOf({ remotes, subject }: Manifest): object[] {
  return (remotes ?? subject?.remotes ?? []).map((one) => ({ type: 'streamable-http', ...one }))
}

const SOURCES: Readonly<Record<string, string>> = { 'github.com': 'github', 'gitlab.com': 'gitlab' }

function repositoryOf({ repository }: Manifest): object {
  if (repository === undefined || !URL.canParse(repository.url)) return {}
  const source = repository.source ?? SOURCES[new URL(repository.url).hostname]
  const { success, data } = repositoryShape.safeParse({ ...repository, source })
  return success ? { repository: data } : {}
}

function iconsOf({ icons = [] }: Manifest): object {
  const fit = icons.flatMap((icon) => iconShape.safeParse(icon).data ?? [])
  return fit.length === 0 ? {} : { icons: fit }
}
