import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Finished } from './serve.js'

const SCRIPT = 'text/javascript; charset=utf-8'

/** What of Swagger UI is served, and as what; nothing else of its folder is. */
export const ASSETS: readonly (readonly [name: string, type: string])[] = [
  ['swagger-ui-bundle.js', SCRIPT],
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
]

export async function readAsset(name: string, type: string): Promise<Finished> {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  return { body: await readFile(join(folder, name)), type }
}

/** Of this origin alone: nobody is asked to validate the document, and no token is remembered. */
const START = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
})
`

export function startScript(): Finished {
  return { body: Buffer.from(START), type: SCRIPT }
}
