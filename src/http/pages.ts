import express, { type Express } from 'express'
import type { Logger } from 'pino'
import type { Accounts } from '../auth/accounts.js'
import type { Interactions } from '../auth/provider/interactions.js'
import type { Limiter } from './limits.js'
import { accountVisitors } from './pages/accounts.js'
import { openCsrf } from './pages/csrf.js'
import { loginVisitors } from './pages/login.js'
import { addGet, addPost, answerErrors, type PageTools } from './pages/page.js'

export interface PagesOptions {
  readonly auth: {
    readonly accounts: Pick<
      Accounts,
      'checkPassword' | 'changePassword' | 'acceptInvitation' | 'recover' | 'read'
    >
    readonly interactions: Interactions
  }
  readonly limiter: Limiter
  readonly publicUrl: string
  readonly log: Logger
}

/**
 * THE INDEX OF THE PAGES people see, apart from the device code's, which the authorization server mounts itself. A GET
 * shows and changes nothing; every form passes the same gates in `addPost`.
 */
export function addPages(app: Express, { auth, limiter, publicUrl, log }: PagesOptions): void {
  const registry = new URL(publicUrl).host
  const tools: PageTools = { csrf: openCsrf(publicUrl), limiter, registry, log }
  const login = loginVisitors({ ...auth, registry })
  const router = express.Router({ caseSensitive: true, strict: true })

  addGet(router, '/login/:uid', tools, login.show)
  addPost(router, '/login/:uid', tools, login.logIn)
  addPost(router, '/login/:uid/password', tools, login.changeOnce)
  addPost(router, '/login/:uid/consent', tools, login.consent)
  addPost(router, '/login/:uid/abort', tools, login.abort)
  for (const form of ['password', 'consent', 'abort']) {
    addGet(router, `/login/:uid/${form}`, tools, login.backToLogin)
  }
  for (const { path, show, submit } of accountVisitors({ ...auth, registry })) {
    addGet(router, path, tools, show)
    addPost(router, path, tools, submit)
  }
  router.use(answerErrors(tools))
  app.use(router)
}
