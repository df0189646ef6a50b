import { addAccountRoutes } from './routes/accounts.js'
import { addLogRoutes } from './routes/log.js'
import { addNamespaceRoutes } from './routes/namespaces.js'
import { addOpenRoutes } from './routes/open.js'
import { addPublishingRoutes } from './routes/publishing.js'
import { addReviewRoutes } from './routes/review.js'
import { addRootRoutes } from './routes/roots.js'
import { addTrustedPublisherRoutes } from './routes/trusted-publishers.js'
import { addWebhookRoutes } from './routes/webhooks.js'
import type { Rooms } from './rooms.js'
import type { AddRoute } from './route.js'

/**
 * THE INDEX OF THE API, one file a resource: who may call what, with which body, and the room that answers. Immutable
 * documents, the status and the log's tiles are in static.ts; tokens are the authorization server's, pages are in
 * pages.ts.
 */
export function addRoutes(add: AddRoute, rooms: Rooms): void {
  addOpenRoutes(add, rooms)
  addNamespaceRoutes(add, rooms)
  addPublishingRoutes(add, rooms)
  addReviewRoutes(add, rooms)
  addAccountRoutes(add, rooms)
  addTrustedPublisherRoutes(add, rooms)
  addWebhookRoutes(add, rooms)
  addLogRoutes(add, rooms)
  addRootRoutes(add, rooms)
}
