import { field, hidden, moreLinks, problemSummary, type PageProblem } from './fields.js'
import { html, program, type Html } from './html.js'
import { layout } from './layout.js'

/** Where else somebody who cannot log in may go. */
export interface WaysIn {
  readonly recovery: string
  readonly invitation: string
}

export interface LoginPage {
  readonly action: string
  readonly csrf: string
  readonly clientName: string
  readonly registry?: string
  /** What was typed before. */
  readonly login?: string
  readonly problems?: readonly PageProblem[]
  readonly ways?: WaysIn
}

/** The same bytes for an unknown login, a wrong password and a disabled account, but for the token. */
export function loginPage(page: LoginPage): string {
  const { action, csrf, clientName, registry, login, problems = [], ways } = page
  return layout({
    heading: 'Log in',
    registry,
    failed: problems.length > 0,
    asks: true,
    main: html`${problemSummary(problems)}
      <h1>Log in</h1>
      <p>${program(clientName)} asks you to log in. It never sees your password.</p>
      <form method="post" action="${action}" novalidate>
        ${hidden('csrf', csrf)}
        ${field({ name: 'login', label: 'Login name', autocomplete: 'username', value: login, focus: true }, problems)}
        ${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' }, problems)}
        <button type="submit">Log in</button>
      </form>
      ${ways === undefined ? undefined : waysIn(ways)}`,
  })
}

function waysIn({ recovery, invitation }: WaysIn): Html {
  return moreLinks([
    html`<a href="${recovery}">I cannot log in</a>`,
    html`<a href="${invitation}">I was invited and have no account yet</a>`,
  ])
}

export interface LockedPage {
  /** Seconds until the next attempt counts. */
  readonly retryAfter: number
  /** Where the attempt is made again. */
  readonly again: string
  readonly recovery: string
  readonly registry?: string
}

/** Says nothing about the account: an unknown one is locked like any other. */
export function lockedPage({ retryAfter, again, recovery, registry }: LockedPage): string {
  const wait = inWords(retryAfter)
  return layout({
    heading: 'Too many attempts',
    registry,
    failed: true,
    main: html`<div class="problem" role="alert" tabindex="-1" autofocus aria-labelledby="locked-title">
        <h1 id="locked-title">Too many attempts</h1>
        <p>To stop guessing, no attempt is accepted for a while. Come again in <strong>${wait}</strong>.</p>
      </div>
      <p>Trying earlier does not help, not even with the right password.</p>
      <h2>You do not know your password?</h2>
      <p>
        Ask an administrator of this registry for a recovery code. Take it from them in person or by a call,
        as you would a key.
      </p>
      <p><a class="button" href="${recovery}">I have a recovery code</a></p>
      ${moreLinks([html`<a href="${again}">Back to where I was</a>`])}`,
  })
}

/** Rounded up, so that whoever waits that long is let in. */
function inWords(seconds: number): string {
  const minutes = Math.max(1, Math.ceil(seconds / 60))
  if (minutes === 1) return '1 minute'
  if (minutes < 120) return `${minutes} minutes`
  return `${Math.ceil(minutes / 60)} hours`
}
