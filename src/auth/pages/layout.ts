import { createHash } from 'node:crypto'
import { html, Html, visible } from './html.js'
import { STYLE } from './style.js'

export interface Layout {
  /** What the page is about, as title and heading. */
  readonly heading: string
  /** The registry's host, where it is known. */
  readonly registry?: string | undefined
  /** Something is wrong: the title says so first, for those who hear it before they see the page. */
  readonly failed?: boolean | undefined
  /** The page takes something secret, and reminds of what to look at first. */
  readonly asks?: boolean
  readonly main: Html
}

// The style's hash is over exactly what stands between the tags.
const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`
const STYLE_TAG = new Html(`<style>${STYLE}</style>`)
const MARK = new Html(
  '<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" d="M12 2.5 4 5.5v6c0 4.9 3.3 8.6 8 10 4.7-1.4 8-5.1 8-10v-6zM8.5 12l2.5 2.5 4.5-5"/></svg>',
)

const CHECK = html`<footer>
  <p>Check the address in your browser before you type a password or a code.</p>
</footer>`

/** One document, whole. */
export function layout({ heading, registry, failed, asks, main }: Layout): string {
  const title = `${failed === true ? 'Error: ' : ''}${heading}`
  const where = registry === undefined ? undefined : visible(registry)
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${title} - ${where ?? 'Countersign'}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow" />
        <meta name="color-scheme" content="light dark" />
        ${STYLE_TAG}
      </head>
      <body>
        <header>
          ${MARK}
          <p>
            <strong>Countersign registry</strong>${where === undefined ? undefined : html`<br />${where}`}
          </p>
        </header>
        <main>${main}</main>
        ${asks === true ? CHECK : undefined}
      </body>
    </html> `.text
}

/** `https://host` or `http://127.0.0.1:1234`, or a private scheme; nothing that could end the directive. */
const FORM_TARGET = /^(?:https?:\/\/[a-z0-9.-]+(?::\d{1,5})?|[a-z][a-z0-9+.-]*:)$/

/**
 * Headers of every page. `formTargets` are origins, or private schemes, that the answer to a form may redirect to:
 * browsers hold redirects of a form against the policy, too.
 */
export function pageHeaders(formTargets: readonly string[] = []): Record<string, string> {
  const targets = formTargets.filter((target) => FORM_TARGET.test(target) && !REFUSED.has(target))
  const policy = [
    "default-src 'none'",
    `style-src ${STYLE_SOURCE}`,
    `form-action ${["'self'", ...targets].join(' ')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ]
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': policy.join('; '),
    'Cache-Control': 'no-store',
    // Not `no-referrer`: with it browsers send `Origin: null` along with our own forms.
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  }
}

/** Schemes that are no application's own. `http:` is: an application that listens on `[::1]`, which no policy can name. */
const REFUSED: ReadonlySet<string> = new Set(['https:', 'data:', 'javascript:', 'blob:', 'filesystem:'])
