import { problemsByStatus } from '../problems/table.js'
import type { Finished } from './serve.js'

const HTML = 'text/html; charset=utf-8'

function page(title: string, head: string, body: string): Finished {
  const text = [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${title}</title>`,
    head,
    '</head>',
    `<body>${body}</body>`,
    '</html>',
    '',
  ]
  return { body: Buffer.from(text.join('\n')), type: HTML }
}

export function docsPage(): Finished {
  const head = [
    '<link rel="icon" href="/docs/favicon-32x32.png">',
    '<link rel="stylesheet" href="/docs/swagger-ui.css">',
    '<script src="/docs/swagger-ui-bundle.js" defer></script>',
    '<script src="/docs/start.js" defer></script>',
  ]
  const without =
    '<noscript>The document is <a href="/openapi.json">/openapi.json</a>; this page shows it with a script.</noscript>'
  return page(
    'Countersign API',
    head.join('\n'),
    `<main><p><a href="/docs/problems">Codes of problems</a></p><div id="docs"></div>${without}</main>`,
  )
}

/** The catalogue; each code is a place to link to. */
export function problemsPage(): Finished {
  const rows = problemsByStatus().map(
    ({ code, status, meaning, remedy }) =>
      `<tr id="${code}"><td>${status}</td><td><code>${code}</code></td>` +
      `<td>${prose(meaning)}</td><td>${prose(remedy)}</td></tr>`,
  )
  const head =
    '<tr><th scope="col">Status</th><th scope="col">Code</th><th scope="col">Meaning</th><th scope="col">What to do</th></tr>'
  const intro =
    '<p>Every refusal is a problem document (RFC 9457) with one of these codes. Codes are stable; texts may change.</p>'
  return page(
    'Problems of the Countersign API',
    '',
    `<main><h1>Problems</h1>${intro}<table><thead>${head}</thead><tbody>${rows.join('\n')}</tbody></table></main>`,
  )
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function prose(text: string): string {
  const escaped = text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? '')
  return escaped.replace(/`([^`]+)`/g, '<code>$1</code>')
}
