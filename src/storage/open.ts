import { openPostgresStore } from './postgres.js'
import { openSqliteStore } from './sqlite.js'
import type { Store } from './store.js'

/** Which engine, and where. */
export type Place =
  | { readonly engine: 'sqlite'; readonly file: string }
  /** A secret: the URL may hold a password. */
  | { readonly engine: 'postgres'; readonly url: string }

/** Opens the cellar on whichever engine, and brings it up to date. Throws StoreError. */
export function openStore(place: Place, options: { readonly now?: () => number } = {}): Promise<Store> {
  return place.engine === 'postgres'
    ? openPostgresStore(place.url, options)
    : openSqliteStore(place.file, options)
}
