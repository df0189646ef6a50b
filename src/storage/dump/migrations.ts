import { fileURLToPath } from 'node:url'

/** Beside `src/` and beside `dist/` alike. */
export const SQLITE_MIGRATIONS = fileURLToPath(new URL('../../../migrations/sqlite/', import.meta.url))
export const POSTGRES_MIGRATIONS = fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url))
