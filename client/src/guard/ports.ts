/** One place where a value is not what a schema says. Nothing in it is a text of the value. */
export interface SchemaFault {
  /** JSON pointer into the schema: the keyword that failed. */
  readonly schemaPath: string
  /** JSON pointer into the value; member names in it are the value's own. */
  readonly valuePath: string
  readonly keyword: string
}

export type SchemaCheck =
  | { readonly status: 'valid' }
  | { readonly status: 'invalid'; readonly faults: readonly SchemaFault[] }
  /** The schema is none that can be checked safely; the same answer for every value. */
  | { readonly status: 'unchecked'; readonly reason: UncheckedReason }

/** Why a schema is not looked at: too large, another dialect, not well-formed, a reference out of it, a pattern beyond RE2. */
export type UncheckedReason = 'size' | 'dialect' | 'malformed' | 'reference' | 'pattern'

/**
 * Checks values against signed schemas; `openValidator` of `countersign/validate` is one. Synchronous and bounded in time
 * whatever stands in schema and value: what would take too long is `invalid` with the keyword `limit`.
 */
export interface SchemaValidator {
  /** `schema`: its JSON text, by which it is compiled once. */
  check(schema: string, value: unknown): SchemaCheck
}

/** What the token of the transport to the server allows; `countersign/tokens` has one. */
export interface TokenFacts {
  /** The scopes granted now; undefined when that cannot be known. Asked for on each call that needs one: keep it warm. */
  scopes(): Promise<ReadonlySet<string> | undefined>
}
