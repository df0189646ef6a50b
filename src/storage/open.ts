import { openPostgresStore, type PostgresOptions } from './postgres.js'
import { openSqliteStore } from './sqlite.js'
import type { Store } from './store.js'

/** Which engine, and where. */
export type Place =
  | { readonly engine: 'sqlite'; readonly file: string }
  /** A secret: the URL may hold a password. */
  | { readonly engine: 'postgres'; readonly url: string }

export interface StoreOptions {
  readonly now?: () => number
  /** Of that engine alone. */
  readonly postgres?: Omit<PostgresOptions, 'now'>
}

/** Opens the cellar on whichever engine, and brings it up to date. Throws StoreError. */
export function openStore(place: Place, { postgres, ...options }: StoreOptions = {}): Promise<Store> {
  return place.engine === 'postgres'
    ? openPostgresStore(place.url, { ...postgres, ...options })
    : openSqliteStore(place.file, options)
}
