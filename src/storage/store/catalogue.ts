import type { Digest } from 'countersign/core'
import type { ManifestListing } from './manifests.js'

/** A version as a catalogue has it. */
export type CatalogueRow = Required<
  Pick<ManifestListing, 'manifest' | 'server' | 'version' | 'role' | 'status' | 'submittedAt' | 'updatedAt'> &
    Pick<ManifestListing, 'publishIndex' | 'approveIndex'>
> &
  Pick<ManifestListing, 'title' | 'description'>

/** Where a walk goes on: behind this server, or behind this version of it. */
export interface CataloguePlace {
  readonly server: string
  /** Without one, behind all of its versions. */
  readonly version?: string
}

/** What was approved below `before` and never forgotten; the other members leave out. */
export interface CatalogueQuery {
  readonly limit: number
  /** The first position that is not published: what was approved there is nobody's business yet. */
  readonly before: number
  readonly after?: CataloguePlace
  /** Part of a name, a title or a description; ASCII letters in either case are the same. */
  readonly search?: string
  /** Moved at this time or later, in milliseconds. */
  readonly since?: number
  /** This version alone. */
  readonly version?: string
  /** Also what was revoked. */
  readonly deleted: boolean
}

/** A manifest that says neither a title nor a description in its row. */
export interface Undescribed {
  readonly manifest: Digest
  readonly envelope: string
}

/** What anyone may know of what was approved once. Text is compared byte by byte. */
export interface CatalogueStore {
  /** By server name and version, so that what is approved meanwhile moves nothing that was seen. */
  listVersions(query: CatalogueQuery): Promise<CatalogueRow[]>
  /** Names of the servers with such a version, in order; `after` is one's name. */
  listVersionedServers(query: Omit<CatalogueQuery, 'version'>): Promise<string[]>
  /** Every version of these servers that was approved below `before`, revoked ones included; by server and version. */
  readVersionsOf(servers: readonly string[], before: number): Promise<CatalogueRow[]>
  /** By digest; nothing once the fact `CATALOGUE_DESCRIBED` is kept: only rows from before texts were kept lack them. */
  readUndescribed(limit: number, after?: Digest): Promise<Undescribed[]>
  /** Gives a row that has neither the texts of its manifest; whatever else it has stays. */
  describeManifest(
    digest: Digest,
    texts: { readonly title?: string; readonly description?: string },
  ): Promise<void>
}

/** Kept when every row from before has its texts. */
export const CATALOGUE_DESCRIBED = 'catalogue-described'
