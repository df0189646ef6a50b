import { field, hidden, moreLinks, problemSummary, type Field, type PageProblem } from './fields.js'
import { html, type Html } from './html.js'
import { layout } from './layout.js'

interface FormPage {
  readonly action: string
  readonly csrf: string
  readonly registry?: string
  /** What was typed before; passwords and codes are never sent back. */
  readonly login?: string
  readonly problems?: readonly PageProblem[]
  /** A login of this browser that waits to go on (`/login/…`). */
  readonly back?: string
}

const NEW_PASSWORD: Field = {
  name: 'newPassword',
  label: 'New password',
  type: 'password',
  autocomplete: 'new-password',
  hint: 'At least 12 characters. Four or five unrelated words are easy to keep in mind.',
}
const REPEAT: Field = {
  name: 'repeat',
  label: 'New password again',
  type: 'password',
  autocomplete: 'new-password',
}
const ONCE_HINT = 'Letters and digits in groups, as it was handed to you. It works once.'

interface Form extends FormPage {
  readonly heading: string
  readonly intro: Html
  readonly fields: readonly Field[]
  readonly submit: string
}

function formPage(form: Form): string {
  const { heading, intro, fields, submit, action, csrf, registry, back, problems = [] } = form
  return layout({
    heading,
    registry,
    failed: problems.length > 0,
    asks: true,
    main: html`${problemSummary(problems)}
      <h1>${heading}</h1>
      ${intro}
      <form method="post" action="${action}" novalidate>
        ${hidden('csrf', csrf)} ${back === undefined ? undefined : hidden('back', back)}
        ${fields.map((one) => field(one, problems))}
        <button type="submit">${submit}</button>
      </form>
      ${back === undefined ? undefined : moreLinks([html`<a href="${back}">Back to the login</a>`])}`,
  })
}

export interface PasswordPage extends FormPage {
  /** The password in use was handed out by somebody else: it only buys another one. */
  readonly once?: boolean
}

export function passwordPage(page: PasswordPage): string {
  const once = page.once === true
  return formPage({
    ...page,
    heading: once ? 'Choose your own password' : 'Change your password',
    intro: once
      ? html`<p>
          The password you typed was made for you and only lets you choose another. Type it once more, then
          your own.
        </p>`
      : html`<p>Every program that is logged in with your account has to log in again afterwards.</p>`,
    fields: [
      { name: 'login', label: 'Login name', autocomplete: 'username', value: page.login },
      {
        name: 'password',
        label: once ? 'Password you were given' : 'Password until now',
        type: 'password',
        autocomplete: 'current-password',
      },
      NEW_PASSWORD,
      REPEAT,
    ],
    submit: once ? 'Set the password and log in' : 'Change the password',
  })
}

export type RecoverPage = FormPage

export function recoverPage(page: RecoverPage): string {
  return formPage({
    ...page,
    heading: 'Set a new password',
    intro: html`<p>
        This registry sends no mail. Ask one of its administrators for a recovery code; it works for 24 hours.
      </p>
      <p>Every program that is logged in with your account has to log in again afterwards.</p>`,
    fields: [
      { name: 'code', label: 'Recovery code', autocomplete: 'one-time-code', code: true, hint: ONCE_HINT },
      {
        name: 'login',
        label: 'Login name',
        autocomplete: 'username',
        optional: true,
        value: page.login,
        hint: 'Only for your password manager; the code knows whose it is.',
      },
      NEW_PASSWORD,
      REPEAT,
    ],
    submit: 'Set the new password',
  })
}

export type InvitationPage = FormPage

export function invitationPage(page: InvitationPage): string {
  return formPage({
    ...page,
    heading: 'Accept an invitation',
    intro: html`<p>
      An administrator of this registry gave you an invitation code. With it you make your account.
    </p>`,
    fields: [
      { name: 'code', label: 'Invitation code', autocomplete: 'one-time-code', code: true, hint: ONCE_HINT },
      {
        name: 'login',
        label: 'Login name',
        autocomplete: 'username',
        value: page.login,
        hint: 'Yours to choose: 2 to 64 letters a-z, digits or . _ @ + - in any order. It is never published.',
      },
      { ...NEW_PASSWORD, label: 'Password' },
      { ...REPEAT, label: 'Password again' },
    ],
    submit: 'Make the account',
  })
}

export interface DonePage {
  readonly heading: string
  readonly text: string
  readonly registry?: string
  /** The login that waits to go on. */
  readonly back?: string
}

export function donePage({ heading, text, registry, back }: DonePage): string {
  return layout({
    heading,
    registry,
    main: html`<h1 class="done">${heading}</h1>
      <p>${text}</p>
      ${back === undefined ? undefined : html`<p><a class="button" href="${back}">Continue to the login</a></p>`}`,
  })
}
