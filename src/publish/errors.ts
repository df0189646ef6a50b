import type { Finding } from 'countersign/gates'

/** The gates found something that nobody can approve; the manifest was not logged. */
export class ManifestRefused extends Error {
  override readonly name = 'ManifestRefused'
  readonly code = 'manifest-refused'
  readonly findings: readonly Finding[]

  constructor(findings: readonly Finding[]) {
    super('the manifest breaks rules that nobody can approve')
    this.findings = findings
  }
}
