import { hidden } from './fields.js'
import { foreign, html, program, type Html } from './html.js'
import { layout } from './layout.js'
import { scopeList, strongNotice } from './scope-words.js'

export interface ConsentPage {
  readonly action: string
  /** Where a refusal is posted. */
  readonly abort: string
  readonly csrf: string
  readonly abortCsrf: string
  readonly clientName: string
  readonly registry?: string
  /** Where the answer goes; absent for a device, which waits for it elsewhere. */
  readonly redirectHost?: string
  readonly login?: string
  readonly scopes: readonly string[]
}

/** Who wants what, where, as whom: then yes or no. Nothing is focused, so that no reflex agrees. */
export function consentPage(page: ConsentPage): string {
  const { action, abort, csrf, abortCsrf, clientName, registry, scopes } = page
  return layout({
    heading: 'Allow access?',
    registry,
    main: html`<h1>Allow access?</h1>
      <p>${program(clientName)} asks to act for you in this registry.</p>
      ${consentFacts(page)}
      <h2>It could</h2>
      ${scopeList(scopes)} ${strongNotice(scopes)}
      <form method="post" action="${action}">
        ${hidden('csrf', csrf)} ${hidden('scopes', scopes.join(' '))}
        <button type="submit">Allow</button>
      </form>
      <form method="post" action="${abort}">
        ${hidden('csrf', abortCsrf)}
        <button type="submit" class="quiet">Do not allow</button>
      </form>`,
  })
}

function consentFacts({ clientName, registry, redirectHost, login }: ConsentPage): Html {
  return facts([
    ['Program', clientName],
    ['Registry', registry],
    ['You', login],
    ['Answer goes to', redirectHost === undefined ? undefined : describeHost(redirectHost)],
  ])
}

/** A loopback address means little to most people, and much to those who expected a web site. */
function describeHost(host: string): string {
  if (host.endsWith(':')) return `the app ${host.slice(0, -1)}`
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(host) ? `this computer (${host})` : host
}

/** What is known, a line each; a name of somebody else's choosing cannot break out of its line. */
export function facts(lines: readonly (readonly [string, string | undefined])[]): Html {
  const known = lines.flatMap(([term, value]) =>
    value === undefined || value === ''
      ? []
      : [
          html`<div>
            <dt>${term}</dt>
            <dd>${foreign(value)}</dd>
          </div>`,
        ],
  )
  return html`<dl class="facts">${known}</dl>`
}
