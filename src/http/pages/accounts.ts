import type { Accounts } from '../../auth/accounts.js'
import { AuthError } from '../../auth/errors.js'
import { donePage, invitationPage, lockedPage, passwordPage, recoverPage } from '../../auth/pages/index.js'
import type { PageProblem, PasswordPage } from '../../auth/pages/index.js'
import type { Answer, Page, Visit, Visitor } from './page.js'
import { missing, newLoginProblems, newPasswordProblems, passwordProblem } from './problems.js'

export interface AccountRooms {
  readonly accounts: Pick<Accounts, 'changePassword' | 'recover' | 'acceptInvitation'>
  readonly registry: string
}

interface Typed {
  readonly login: string
  readonly password: string
  readonly newPassword: string
  readonly code: string
  readonly address: string
}

/** One page with one form: what it shows, what it asks for, what it does, and what it says then. */
interface AccountPage {
  readonly path: string
  readonly render: (page: PasswordPage) => string
  readonly check: (typed: Typed) => PageProblem[]
  readonly act: (accounts: AccountRooms['accounts'], typed: Typed) => Promise<unknown>
  readonly done: { readonly heading: string; readonly text: string }
}

const LOGIN = 'Type your login name.'

const PASSWORD: AccountPage = {
  path: '/account/password',
  render: passwordPage,
  check: ({ login, password }) => [
    ...missing('login', login, LOGIN),
    ...missing('password', password, 'Type the password you had until now.'),
  ],
  act: (accounts, { login, password, newPassword, address }) =>
    accounts.changePassword({ login, password, newPassword, address }),
  done: { heading: 'Your password is changed', text: 'Log in again with it in the programs you use.' },
}

const RECOVER: AccountPage = {
  path: '/account/recover',
  render: recoverPage,
  check: ({ code }) => missing('code', code, 'Type the recovery code.'),
  act: (accounts, { code, newPassword, address }) =>
    accounts.recover({ code, password: newPassword, address }),
  done: { heading: 'Your new password is set', text: 'Log in again with it in the programs you use.' },
}

const INVITATION: AccountPage = {
  path: '/account/invitation',
  render: invitationPage,
  check: ({ code, login }) => [
    ...missing('code', code, 'Type the invitation code.'),
    ...newLoginProblems(login),
  ],
  act: (accounts, { code, login, newPassword, address }) =>
    accounts.acceptInvitation({ code, login, password: newPassword, address }),
  done: { heading: 'Your account is made', text: 'Log in with it in the program you want to use.' },
}

export interface AccountVisitors {
  readonly path: string
  readonly show: Visitor
  readonly submit: Visitor
}

/** The pages of one's own password, each a form that needs no login: the old password or a code is the proof. */
export function accountVisitors(rooms: AccountRooms): AccountVisitors[] {
  return [PASSWORD, RECOVER, INVITATION].map((page) => ({
    path: page.path,
    show: (visit) => Promise.resolve(show(rooms, page, visit, backOf(visit.req.query['back']))),
    submit: (visit) => submit(rooms, page, visit),
  }))
}

interface Again {
  readonly status?: number
  readonly login?: string
  readonly problems?: readonly PageProblem[]
}

function show(
  { registry }: AccountRooms,
  { path, render }: AccountPage,
  visit: Visit,
  back: string | undefined,
  { status = 200, ...again }: Again = {},
): Page {
  const html = render({
    ...{ action: path, csrf: visit.csrf(path), registry, ...again },
    ...(back === undefined ? {} : { back }),
  })
  return { status, html }
}

async function submit(rooms: AccountRooms, page: AccountPage, visit: Visit): Promise<Answer> {
  const typed = readTyped(visit)
  const back = backOf(visit.form.text('back'))
  const { login } = typed
  const problems = [...page.check(typed), ...newPasswordProblems(visit.form, login)]
  if (problems.length > 0) return show(rooms, page, visit, back, { status: 400, login, problems })
  try {
    await page.act(rooms.accounts, typed)
  } catch (error) {
    if (error instanceof AuthError && error.code === 'locked') return showLocked(rooms, page, error)
    const { status, problem } = passwordProblem(error)
    return show(rooms, page, visit, back, { status, login, problems: [problem] })
  }
  const { registry } = rooms
  return { html: donePage({ ...page.done, registry, ...(back === undefined ? {} : { back }) }) }
}

/** Blanks around a login, and anywhere in a code, come from copying. */
function readTyped({ form, address }: Visit): Typed {
  return {
    login: form.text('login').trim(),
    password: form.text('password'),
    newPassword: form.text('newPassword'),
    code: form.text('code').replaceAll(/\s/g, ''),
    address,
  }
}

function showLocked({ registry }: AccountRooms, { path }: AccountPage, { retryAfter = 60 }: AuthError): Page {
  return {
    status: 429,
    headers: { 'Retry-After': String(retryAfter) },
    html: lockedPage({ retryAfter, again: path, recovery: RECOVER.path, registry }),
  }
}

/** A login of ours to go back to, and nothing else: no page leads anywhere a stranger says. */
function backOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^\/login\/[A-Za-z0-9_-]{8,64}$/.test(value) ? value : undefined
}
