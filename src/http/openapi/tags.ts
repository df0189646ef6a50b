/** Chapters of the document. The first whose paths fit has the operation. */
const CHAPTERS: readonly (readonly [name: string, description: string, paths: RegExp])[] = [
  ['Administration', 'Accounts, roles, clients, receivers, the trust root.', /^\/v1\/(admin|bootstrap)/],
  [
    'MCP Registry',
    'The read API that MCP hosts speak already, with our trust data in `_meta`.',
    /^\/v0\.1\//,
  ],
  ['Tokens', 'The authorization server, and where it is.', /^\/(oauth|device|\.well-known)/],
  [
    'Review',
    'What waits, decisions, and the policy they are made under.',
    /^\/v1\/(review|policy|audit)|\/(revocation|reinstatement|withdrawal|deprecation)(\/signatures)?$/,
  ],
  ['Namespaces', 'Who owns which names, the proofs behind them, and their keys.', /^\/v1\/namespaces/],
  ['Publishing', 'Signed manifests into the log.', /^\/v1\/manifests$/],
  [
    'Evidence',
    'What hosts fetch and verify: finished bytes, the same from any mirror.',
    /^\/(log|v1\/(status|bundles|revocations|policies|consistency|root|log|events|host-policy))|\/bundle$/,
  ],
  ['Operations', 'Health, metrics and this document.', /^\/(healthz|readyz|metrics|openapi|docs)/],
  ['Catalogue', 'Servers, their versions, and what changed between them.', /^\/v1\//],
]

export function tagOf(template: string): string {
  // A key's revocation belongs to its namespace.
  if (template.startsWith('/v1/namespaces')) return 'Namespaces'
  const chapter = CHAPTERS.find(([, , paths]) => paths.test(template))
  if (chapter === undefined) throw new Error(`${template} is in no chapter`)
  return chapter[0]
}

export const TAGS = CHAPTERS.map(([name, description]) => ({ name, description }))
