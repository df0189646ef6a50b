import type { Response, Router } from 'express'
import { ASSETS, readAsset, startScript } from './docs/assets.js'
import { docsPage, problemsPage } from './docs/pages.js'
import { serve, type Finished } from './docs/serve.js'
import { describeApi, type Description } from './openapi/document.js'

/** `/openapi.json`, made from the routes themselves, and `/docs`, which shows it without a network. */
export function addDocs(router: Router, description: Description): void {
  const get = (
    path: string,
    make: () => Finished | Promise<Finished>,
    head?: (res: Response) => void,
  ): void => {
    router.get(path, serve(path, make, head))
  }
  get('/openapi.json', () => ({
    body: Buffer.from(JSON.stringify(describeApi(description))),
    type: 'application/json',
  }))
  get('/docs', docsPage, showInBrowser)
  get('/docs/problems', problemsPage, showInBrowser)
  get('/docs/start.js', startScript)
  for (const [name, type] of ASSETS) get(`/docs/${name}`, () => readAsset(name, type))
}

/**
 * Scripts and requests of this origin alone. Swagger UI sets styles on elements and draws its arrows from `data:`;
 * neither reaches anybody.
 */
function showInBrowser(res: Response): void {
  const rules = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ]
  res.set('Content-Security-Policy', rules.join('; '))
}
