/** An audit record; `detail` is JSON without personal data or secrets. */
export interface AuditRow {
  readonly at: number
  readonly account: string
  readonly action: string
  readonly target: string
  readonly detail: string
  readonly index?: number
}

export interface AuditRecord extends AuditRow {
  readonly id: number
}

export interface AuditFilter {
  readonly account?: string | undefined
  readonly action?: string | undefined
  readonly target?: string | undefined
}
