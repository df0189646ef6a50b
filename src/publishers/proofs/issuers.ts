/** An identity provider whose tokens say who owns the namespaces below a prefix. */
export interface NamespaceIssuer {
  /** `io.github`: nothing below it is provable by DNS or HTTP. */
  readonly prefix: string
  readonly issuer: string
  /** The claim with the owner's name, its levels divided by `/`: they are the labels behind the prefix. */
  readonly owner: string
  /** The claim with the owner's number, which outlives a rename and is never given to somebody else. */
  readonly ownerId: string
  /** How many levels a name may have. */
  readonly levels: number
}

/** The providers everybody knows; a registry may be opened with others. */
export const NAMESPACE_ISSUERS: readonly NamespaceIssuer[] = [
  {
    prefix: 'io.github',
    issuer: 'https://token.actions.githubusercontent.com',
    owner: 'repository_owner',
    ownerId: 'repository_owner_id',
    levels: 1,
  },
  {
    prefix: 'io.gitlab',
    issuer: 'https://gitlab.com',
    owner: 'namespace_path',
    ownerId: 'namespace_id',
    levels: 20,
  },
]

/** The issuer a namespace belongs to, if it lies below the prefix of one. */
export function findIssuer(
  issuers: readonly NamespaceIssuer[],
  namespace: string,
): NamespaceIssuer | undefined {
  return issuers.find(({ prefix }) => namespace === prefix || namespace.startsWith(`${prefix}.`))
}
