import { CountersignError } from '../core/index.js'
import { formatPackageName, parsePackageSpec } from '../resolve/artifact.js'
import type { ReviewInput, ReviewPorts } from '../review/types.js'

/** Whether a registry is to be asked about an artifact, and nobody after it. */
export async function speaksForArtifact(
  { slot, package: text, url }: Pick<ReviewInput, 'slot' | 'package' | 'url'>,
  { memory, identity, api }: Pick<ReviewPorts, 'memory' | 'identity' | 'api'>,
): Promise<boolean> {
  if ((await memory.readServer({ identity, server: '', slot }))?.resolved !== undefined) return true
  const spec = text === undefined ? undefined : parsePackageSpec(text)
  try {
    const found = [
      ...(spec === undefined ? [] : await api.lookup({ package: formatPackageName(spec) })),
      ...(url === undefined ? [] : await api.lookup({ url })),
    ]
    return found.length > 0
  } catch (error) {
    // A registry that does not answer may be the one that knows this server: it is reviewed there, and refused.
    if (error instanceof CountersignError) return true
    throw error
  }
}
