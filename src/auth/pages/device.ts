import { facts } from './consent.js'
import { field, hidden, problemSummary, type PageProblem } from './fields.js'
import { html, program, visible, type Html } from './html.js'
import { layout } from './layout.js'
import { scopeList, strongNotice } from './scope-words.js'

export interface DeviceInputPage {
  /** The form the authorization server made: its address and token are taken from it. */
  readonly form: string
  /** The name of the server's error (`NotFoundError`, …), or `locked`. */
  readonly problem?: string
  readonly registry?: string
}

/** Where the code that a program shows is typed. */
export function deviceInputPage({ form, problem, registry }: DeviceInputPage): string {
  // A decision, not a failure.
  if (problem === 'AbortedError') return notConnected(registry)
  const { action, xsrf } = readForm(form)
  const problems = problem === undefined ? [] : [deviceProblem(problem)]
  return layout({
    heading: 'Connect a program',
    registry,
    failed: problems.length > 0,
    asks: true,
    main: html`${problemSummary(problems)}
      <h1>Connect a program</h1>
      <p>A program on another screen or in a terminal is waiting for you. It shows a code.</p>
      <form method="post" action="${action}" novalidate>
        ${hidden('xsrf', xsrf)}
        ${field(
          {
            name: 'user_code',
            label: 'Code',
            hint: 'Eight letters, as your program shows them at this moment. The dash does not matter.',
            autocomplete: 'one-time-code',
            code: true,
            focus: true,
          },
          problems,
        )}
        <button type="submit">Continue</button>
      </form>
      <h2>Somebody sent you a code?</h2>
      <p>Then stop here. Whoever started the program that shows the code gets your access.</p>`,
  })
}

function notConnected(registry: string | undefined): string {
  return layout({
    heading: 'Not connected',
    registry,
    main: html`<h1>Not connected</h1>
      <p>The program got no access, and has been told so. You can close this page.</p>`,
  })
}

const FIELD = 'user_code'

/** By the names of the authorization server's errors. */
function deviceProblem(name: string): PageProblem {
  switch (name) {
    case 'NoCodeError':
      return { field: FIELD, text: 'Type the code that your program shows.' }
    case 'NotFoundError':
      return { field: FIELD, text: 'No program waits with this code. Compare it letter by letter.' }
    case 'ExpiredError':
      return { field: FIELD, text: 'This code is too old. Start again in your program for a new one.' }
    case 'AlreadyUsedError':
      return { field: FIELD, text: 'This code was used already. Start again in your program for a new one.' }
    case 'locked':
    case 'rate-limited':
      return { text: 'Too many codes were tried from your address. Come again in a few minutes.' }
    default:
      return { text: 'That did not work. Start again in your program for a new code.' }
  }
}

export interface DeviceConfirmPage {
  readonly form: string
  readonly userCode: string
  readonly clientName: string
  readonly scopes: readonly string[]
  /** Where the program asked from. */
  readonly address?: string
  /** What it called itself. */
  readonly agent?: string
  readonly registry?: string
}

/** The defence against a code that somebody else started: what asks, from where, and the code to compare. */
export function deviceConfirmPage(page: DeviceConfirmPage): string {
  const { form, userCode, clientName, scopes, address, agent, registry } = page
  const { action, xsrf } = readForm(form)
  return layout({
    heading: 'Is this your program?',
    registry,
    main: html`<h1>Is this your program?</h1>
      <p>${program(clientName)} waits to be connected. Compare this code with the one it shows.</p>
      <p class="user-code"><code>${visible(userCode, 32)}</code></p>
      ${facts([
        ['Program', clientName],
        ['Asks from', address],
        ['Calls itself', agent],
        ['Registry', registry],
      ])}
      <h2>It could</h2>
      ${scopeList(scopes)} ${strongNotice(scopes)}
      <div class="notice">
        <p>
          <strong>Did you start it yourself, just now?</strong> If the code came by mail, chat or telephone,
          somebody wants to act in your name: do not connect.
        </p>
      </div>
      ${choice(action, xsrf, userCode)}`,
  })
}

function choice(action: string, xsrf: string, userCode: string): Html {
  return html`<form method="post" action="${action}">
    ${hidden('xsrf', xsrf)} ${hidden('user_code', userCode)}
    <button type="submit" name="confirm" value="yes">The codes are the same: connect</button>
    <button type="submit" name="abort" value="yes" class="quiet">Do not connect</button>
  </form>`
}

export interface DeviceDonePage {
  readonly clientName: string
  readonly registry?: string
}

export function deviceDonePage({ clientName, registry }: DeviceDonePage): string {
  return layout({
    heading: 'Connected',
    registry,
    main: html`<h1 class="done">Connected</h1>
      <p>${program(clientName)} can go on now. Go back to it; you can close this page.</p>`,
  })
}

interface ProviderForm {
  readonly action: string
  readonly xsrf: string
}

/**
 * Of the authorization server's form only its values are used: its markup has no label and an inline script. A form
 * that is not as expected is an error, not a page without its token.
 */
function readForm(form: string): ProviderForm {
  const action = /<form [^>]*\baction="([^"]+)"/.exec(form)?.[1]
  const xsrf = /name="xsrf" value="([0-9a-f]+)"/.exec(form)?.[1]
  if (action === undefined || xsrf === undefined) throw new Error('the device form has no action or no token')
  return { action: decode(action), xsrf }
}

/** Undoes the escaping of an attribute, so that ours is the only one. */
function decode(text: string): string {
  const plain: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' }
  return text.replace(/&(lt|gt|quot|#39|amp);/g, (entity, name: string) => plain[name] ?? entity)
}
