import type { ManifestRow } from '../storage/store.js'

/** A manifest's row before the log has given it an index. */
export type Draft = Omit<ManifestRow, 'publishIndex'>
