import type { AccountStore } from './store/accounts.js'
import type { CatalogueStore } from './store/catalogue.js'
import type { CheckReads } from './store/check.js'
import type { DirectoryStore } from './store/directory.js'
import type { IdempotencyStore } from './store/idempotency.js'
import type { LogStore } from './store/log.js'
import type { ManifestStore } from './store/manifests.js'
import type { OAuthStore } from './store/oauth.js'
import type { ReviewStore } from './store/review.js'
import type { SharedStore } from './store/shared.js'
import type { TrustedPublisherStore } from './store/trusted-publishers.js'
import type { WebhookStore } from './store/webhooks.js'

export type * from './store/accounts.js'
export type * from './store/audit.js'
export type * from './store/batch.js'
export type * from './store/catalogue.js'
export type * from './store/check.js'
export type * from './store/directory.js'
export type * from './store/idempotency.js'
export type * from './store/log.js'
export type * from './store/log-rows.js'
export type * from './store/manifests.js'
export type * from './store/oauth.js'
export type * from './store/review.js'
export type * from './store/shared.js'
export type * from './store/trusted-publishers.js'
export type * from './store/webhooks.js'

/**
 * The cellar's port. One method is one transaction; a promise that resolved is on disk.
 * Every implementation is held to test/storage/contract.ts. Rows are plain data; digests are text, hashes bytes.
 */
export interface Store
  extends
    LogStore,
    CheckReads,
    DirectoryStore,
    ManifestStore,
    CatalogueStore,
    ReviewStore,
    AccountStore,
    TrustedPublisherStore,
    OAuthStore,
    WebhookStore,
    IdempotencyStore,
    SharedStore {
  close(): Promise<void>
}
