import { formatRevocationLine, parseServerName, type Digest } from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import type { DirectoryReads, ManifestRow } from '../storage/store.js'

/** What a revocation is about: one manifest, a whole server, or a tool definition wherever it stands. */
export type Target =
  | { readonly target: 'manifest' | 'tool'; readonly digest: Digest }
  | { readonly target: 'server'; readonly name: string }

/** As `latest event about the same target` counts it. */
export function targetKey(target: Target): string {
  return `${target.target}:${target.target === 'server' ? target.name : target.digest}`
}

/** What the audit is about: a manifest is named as everywhere there, by its digest. */
export function auditTarget(target: Target): string {
  return target.target === 'manifest' ? target.digest : targetKey(target)
}

export function revocationLine(target: Target): string {
  return target.target === 'server'
    ? formatRevocationLine({ kind: 'server', name: target.name })
    : formatRevocationLine({ kind: target.target, digest: target.digest })
}

/** The lines that take a manifest away: its own, its server's, and those of its tools. */
export function linesAbout(row: ManifestRow): string[] {
  return [
    revocationLine({ target: 'manifest', digest: row.manifest }),
    revocationLine({ target: 'server', name: row.server }),
    ...row.toolDigests.map(({ digest }) => revocationLine({ target: 'tool', digest })),
  ]
}

/** A line stays until a proved reinstatement, whatever became of the rows. */
export async function assertNoLine(
  reads: Pick<DirectoryReads, 'isAnyRevoked'>,
  about: readonly string[],
): Promise<void> {
  if (!(await reads.isAnyRevoked(about))) return
  throw new LedgerRefusal('manifest-status', 'the manifest, its server or a tool of it is revoked', {
    status: 'revoked',
  })
}

export function namespaceOf(server: string): string {
  return parseServerName(server).namespace
}
