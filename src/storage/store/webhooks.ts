export interface WebhookRow {
  readonly id: string
  readonly url: string
  /** Only what is about this namespace. */
  readonly namespace?: string
  /** Audit actions it is told of; empty for all. */
  readonly events: readonly string[]
  /** Whose it is. */
  readonly account: string
  /** Id of the last audit record that was delivered or passed over. */
  readonly cursor: number
  /** Failures in a row at the record after the cursor. */
  readonly failures: number
  /** Milliseconds: not tried before. */
  readonly nextAt: number
  readonly disabled: boolean
  readonly createdAt: number
}

export interface WebhookStore {
  /** `duplicate` when the id is taken. */
  createWebhook(row: WebhookRow): Promise<void>
  readWebhook(id: string): Promise<WebhookRow | undefined>
  /** By id, after `after`. */
  listWebhooks(
    filter: { readonly namespace?: string | undefined; readonly account?: string | undefined },
    limit: number,
    after?: string,
  ): Promise<WebhookRow[]>
  /**
   * Enabled ones whose time has come and whose cursor lies before the newest audit record. Their next time is moved to
   * `until`: until then no other process is given them. The rows are as they are then.
   */
  claimDueWebhooks(now: number, limit: number, until: number): Promise<WebhookRow[]>
  /** False when it is gone. */
  updateWebhook(
    id: string,
    change: Partial<Pick<WebhookRow, 'cursor' | 'failures' | 'nextAt' | 'disabled'>>,
  ): Promise<boolean>
  /** False when there is none. */
  deleteWebhook(id: string): Promise<boolean>
}
