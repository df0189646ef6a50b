import { openPublicCall } from './call.js'
import { registryUrl, type Context, type Input } from './context.js'
import { bold, dim, green, red, yellow, type Line, type Styled } from './output.js'
import { fetchVersionRows, parseReference, type VersionRow } from './reference.js'
import { refuse } from '../core/index.js'
import { isFileRegistry, openRegistryApi } from '../node/registry-files.js'

/** `countersign status`: what the registry says; nothing of it is proved here. */
export async function status(context: Context, { args }: Input): Promise<void> {
  const { server, version } = parseReference(args[0] ?? '')
  const rows = await fetchRows(context, server)
  const versions = version === undefined ? rows : rows.filter((row) => row.version === version)
  if (versions.length === 0)
    refuse('registry-refused', `the registry shows no such version`, { code: 'not-found', server })
  context.out.result({ server, versions }, [
    [bold(server), dim('  as the registry says; `countersign verify` proves it')],
    ...versions.map((row): Line => [
      '  ',
      row.version.padEnd(16),
      paint(row),
      dim(`  ${row.role}  ${row.manifest}`),
    ]),
  ])
}

/** What waits is shown to its owner and reviewers by a registry alone; a mirror's folder knows nobody. */
async function fetchRows(context: Context, server: string): Promise<readonly VersionRow[]> {
  const registry = registryUrl(context)
  if (!isFileRegistry(registry)) return fetchVersionRows(openPublicCall(context), server)
  return openRegistryApi(registry).fetchVersions(server)
}

function paint({ status: text }: VersionRow): Styled {
  const padded = text.padEnd(10)
  if (text === 'approved') return green(padded)
  return text === 'pending' || text === 'deprecated' ? yellow(padded) : red(padded)
}
