import type { Router } from 'express'
import type { Context } from '../publishers/context.js'

/** One answer, as it is counted: `route` is the path's pattern, never what a caller wrote. */
export interface Counted {
  readonly route: string
  readonly method: string
  readonly status: number
  readonly seconds: number
}

export interface Metrics {
  count(answer: Counted): void
}

export interface MetricsOptions {
  readonly context: Pick<Context, 'store' | 'ledger'>
  /** What `/metrics` is read with; absent: only from this machine. */
  readonly token?: string | undefined
}

export function openMetrics(options: MetricsOptions): Metrics & { readonly add: (router: Router) => void } {
  void options
  return { count: () => undefined, add: () => undefined }
}
