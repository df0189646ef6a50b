import { foreign, html, visible, type Html } from './html.js'
import { layout } from './layout.js'

export interface ErrorPage {
  /** A stable code: of ours, or of OAuth. */
  readonly code: string
  readonly detail: string
  readonly registry?: string
  /** Under which the registry's log knows more. */
  readonly traceId?: string
  /** A page of ours where one can try again. */
  readonly again?: string
}

interface Words {
  readonly heading: string
  readonly what: string
}

const START_AGAIN = 'Go back to the program that sent you here and start again.'
const OPERATOR = 'You cannot mend this here. Tell whoever runs that program what this page says.'

/** What happened and what to do, by code; what nobody foresaw has words, too. */
const WORDS: Readonly<Record<string, Words>> = {
  'interaction-gone': {
    heading: 'This login is over',
    what: `It was finished already, took too long, or was started in another browser. ${START_AGAIN}`,
  },
  'form-refused': {
    heading: 'This form was not accepted',
    what: 'It stood open for too long, or did not come from a page of this registry. Nothing was changed.',
  },
  'rate-limited': {
    heading: 'Too many requests',
    what: 'Wait a minute, then try again. Nothing was changed.',
  },
  busy: {
    heading: 'Too much at once',
    what: 'More people log in right now than we can check passwords. Try again in a few seconds.',
  },
  unavailable: { heading: 'Not available right now', what: 'Try again in a few minutes.' },
  internal: {
    heading: 'Something went wrong on our side',
    what: 'It is not your fault. Try again; if it stays, tell an administrator what this page says.',
  },
  'not-found': { heading: 'There is nothing here', what: 'Check the address.' },
  'body-too-large': {
    heading: 'That was too much text',
    what: 'Nothing was changed. Shorten it and try again.',
  },
  access_denied: { heading: 'Access was not given', what: START_AGAIN },
  invalid_client: { heading: 'This program is not known here', what: OPERATOR },
  invalid_redirect_uri: { heading: 'This program may not send you there', what: OPERATOR },
  unauthorized_client: { heading: 'This program may not do that', what: OPERATOR },
  invalid_request: { heading: 'This request makes no sense', what: `${START_AGAIN} ${OPERATOR}` },
  invalid_target: { heading: 'This request is for another service', what: OPERATOR },
  temporarily_unavailable: { heading: 'Not available right now', what: 'Try again in a few minutes.' },
}
const OTHERWISE: Words = { heading: 'That did not work', what: START_AGAIN }

/** Codes become the keys of a table: `constructor` is no code. */
function wordsOf(code: string): Words {
  if (code === 'server_error') return wordsOf('internal')
  return Object.hasOwn(WORDS, code) ? (WORDS[code] ?? OTHERWISE) : OTHERWISE
}

export function errorPage({ code, detail, registry, traceId, again }: ErrorPage): string {
  const { heading, what } = wordsOf(code)
  return layout({
    heading,
    registry,
    failed: true,
    main: html`<h1>${heading}</h1>
      <p>${what}</p>
      ${again === undefined ? undefined : html`<p><a class="button" href="${again}">Open the page again</a></p>`}
      <h2>For whoever helps you</h2>
      ${details(code, detail, traceId)}`,
  })
}

function details(code: string, detail: string, traceId: string | undefined): Html {
  const lines: readonly (readonly [string, Html | undefined])[] = [
    ['Code', html`<code>${visible(code, 64)}</code>`],
    ['Detail', detail === '' ? undefined : foreign(detail, 500)],
    ['Trace', traceId === undefined ? undefined : html`<code>${traceId}</code>`],
  ]
  const known = lines.flatMap(([term, value]) =>
    value === undefined
      ? []
      : [
          html`<div>
            <dt>${term}</dt>
            <dd>${value}</dd>
          </div>`,
        ],
  )
  return html`<dl class="facts">${known}</dl>`
}
