/** What a request was answered, to be given again. `headers` and `body` as they were sent. */
export interface KeptAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What became of a key when somebody came with it. */
export type IdempotentState =
  /** It is the caller's to run, until the lease ends: afterwards somebody else may. */
  | { readonly state: 'taken'; readonly runner: string }
  /** Somebody runs it now. */
  | { readonly state: 'running' }
  /** It belongs to another request. */
  | { readonly state: 'other' }
  | { readonly state: 'answered'; readonly answer: KeptAnswer }

export interface IdempotencyStore {
  /** Takes the key for this request. `key` and `fingerprint` are digests; expired keys are free. Times in milliseconds. */
  takeIdempotencyKey(key: string, fingerprint: string, leaseUntil: number): Promise<IdempotentState>
  /** Keeps the answer until `expiresAt`; nothing when the lease went to somebody else. */
  answerIdempotencyKey(key: string, runner: string, answer: KeptAnswer, expiresAt: number): Promise<void>
  /** Frees the key: the request may be tried again. Nothing when the lease went to somebody else. */
  freeIdempotencyKey(key: string, runner: string): Promise<void>
}
