import type { Accounts } from '../../auth/accounts.js'
import { AuthError } from '../../auth/errors.js'
import type { Interactions, PendingInteraction } from '../../auth/provider/interactions.js'
import { consentPage, lockedPage, loginPage, passwordPage, type PageProblem } from '../../auth/pages/index.js'
import type { Answer, Page, Visit, Visitor } from './page.js'
import { missing, newPasswordProblems, passwordProblem, REFUSED_PASSWORD } from './problems.js'

export interface LoginRooms {
  readonly accounts: Pick<Accounts, 'checkPassword' | 'changePassword' | 'read'>
  readonly interactions: Interactions
  readonly registry: string
}

export interface LoginVisitors {
  readonly show: Visitor
  readonly logIn: Visitor
  readonly changeOnce: Visitor
  readonly consent: Visitor
  readonly abort: Visitor
  /** The page of a form that was opened as an address. */
  readonly backToLogin: Visitor
}

/** The pages of one login: who are you, and may this program act for you. */
export function loginVisitors(rooms: LoginRooms): LoginVisitors {
  const { interactions } = rooms
  return {
    show: async (visit) => {
      const pending = await readPending(rooms, visit)
      return pending.prompt === 'login'
        ? showLogin(rooms, visit, pending)
        : showConsent(rooms, visit, pending)
    },
    logIn: (visit) => logIn(rooms, visit),
    changeOnce: (visit) => changeOnce(rooms, visit),
    consent: async (visit) => {
      const pending = await readPending(rooms, visit)
      if (pending.prompt !== 'consent') return { redirect: pathOf(pending) }
      // A role that was given since is shown before it is agreed to.
      if (visit.form.text('scopes') !== pending.scopes.join(' ')) return showConsent(rooms, visit, pending)
      await interactions.consent(visit.req, visit.res)
      return undefined
    },
    abort: async (visit) => {
      await readPending(rooms, visit)
      await interactions.abort(visit.req, visit.res)
      return undefined
    },
    backToLogin: async (visit) => ({ redirect: pathOf(await readPending(rooms, visit)) }),
  }
}

/** The interaction of this browser's cookie, and of this address: one cannot be answered under another's. */
async function readPending({ interactions }: LoginRooms, { req, res }: Visit): Promise<PendingInteraction> {
  const pending = await interactions.read(req, res)
  if (pending.uid !== req.params['uid']) {
    throw new AuthError('interaction-gone', 'this address belongs to another login')
  }
  return pending
}

const pathOf = ({ uid }: PendingInteraction): string => `/login/${uid}`
const elsewhere = (path: string, pending: PendingInteraction): string =>
  `${path}?back=${encodeURIComponent(pathOf(pending))}`

interface Again {
  readonly status?: number
  readonly login?: string
  readonly problems?: readonly PageProblem[]
  readonly headers?: Readonly<Record<string, string>>
}

function showLogin(
  { registry }: LoginRooms,
  visit: Visit,
  pending: PendingInteraction,
  again: Again = {},
): Page {
  const { status = 200, headers = {}, ...rest } = again
  const action = pathOf(pending)
  const ways = {
    recovery: elsewhere('/account/recover', pending),
    invitation: elsewhere('/account/invitation', pending),
  }
  const { clientName } = pending
  const html = loginPage({ action, csrf: visit.csrf(action), clientName, registry, ways, ...rest })
  return { status, headers, html, formTargets: formTargets(pending) }
}

async function showConsent(
  { accounts, registry }: LoginRooms,
  visit: Visit,
  pending: PendingInteraction,
): Promise<Page> {
  const { account, clientName, redirectHost, scopes } = pending
  const login = account === undefined ? undefined : (await accounts.read(account)).login
  const [action, abort] = [`${pathOf(pending)}/consent`, `${pathOf(pending)}/abort`]
  const html = consentPage({
    ...{ action, abort, csrf: visit.csrf(action), abortCsrf: visit.csrf(abort) },
    ...{ clientName, registry, scopes },
    ...(redirectHost === undefined ? {} : { redirectHost }),
    ...(login === undefined ? {} : { login }),
  })
  return { html, formTargets: formTargets(pending) }
}

async function logIn(rooms: LoginRooms, visit: Visit): Promise<Answer> {
  const pending = await readPending(rooms, visit)
  if (pending.prompt !== 'login') return { redirect: pathOf(pending) }
  const { form, address } = visit
  const [login, password] = [form.text('login').trim(), form.text('password')]
  const problems = [
    ...missing('login', login, 'Type your login name.'),
    ...missing('password', password, 'Type your password.'),
  ]
  if (problems.length > 0) return showLogin(rooms, visit, pending, { status: 400, login, problems })
  try {
    const { account } = await rooms.accounts.checkPassword({ login, password, address })
    await rooms.interactions.login(visit.req, visit.res, account)
    return undefined
  } catch (error) {
    return refuseLogin(rooms, visit, pending, login, error)
  }
}

function refuseLogin(
  rooms: LoginRooms,
  visit: Visit,
  pending: PendingInteraction,
  login: string,
  error: unknown,
): Page {
  if (!(error instanceof AuthError)) throw error
  switch (error.code) {
    case 'credentials-invalid':
      return showLogin(rooms, visit, pending, { status: 401, login, problems: [REFUSED_PASSWORD] })
    case 'locked':
      return showLocked(rooms, pending, error)
    case 'password-change-required':
      return showChangeOnce(rooms, visit, pending, { status: 403, login })
    default:
      throw error
  }
}

function showLocked(
  { registry }: LoginRooms,
  pending: PendingInteraction,
  { retryAfter = 60 }: AuthError,
): Page {
  const recovery = elsewhere('/account/recover', pending)
  return {
    status: 429,
    headers: { 'Retry-After': String(retryAfter) },
    html: lockedPage({ retryAfter, again: pathOf(pending), recovery, registry }),
  }
}

function showChangeOnce(
  { registry }: LoginRooms,
  visit: Visit,
  pending: PendingInteraction,
  again: Again,
): Page {
  const { status = 200, headers = {}, ...rest } = again
  const action = `${pathOf(pending)}/password`
  const back = pathOf(pending)
  const html = passwordPage({ action, csrf: visit.csrf(action), registry, once: true, back, ...rest })
  return { status, headers, html, formTargets: formTargets(pending) }
}

/** The password that was handed out buys another one, and the login goes on with it. */
async function changeOnce(rooms: LoginRooms, visit: Visit): Promise<Answer> {
  const pending = await readPending(rooms, visit)
  if (pending.prompt !== 'login') return { redirect: pathOf(pending) }
  const { form, address } = visit
  const [login, password, newPassword] = [
    form.text('login').trim(),
    form.text('password'),
    form.text('newPassword'),
  ]
  const problems = [
    ...missing('login', login, 'Type your login name.'),
    ...missing('password', password, 'Type the password you were given.'),
    ...newPasswordProblems(form, login),
  ]
  if (problems.length > 0) return showChangeOnce(rooms, visit, pending, { status: 400, login, problems })
  try {
    const account = await rooms.accounts.changePassword({ login, password, newPassword, address })
    await rooms.interactions.login(visit.req, visit.res, account)
    return undefined
  } catch (error) {
    if (error instanceof AuthError && error.code === 'locked') return showLocked(rooms, pending, error)
    const refused = passwordProblem(error)
    return showChangeOnce(rooms, visit, pending, {
      status: refused.status,
      login,
      problems: [refused.problem],
    })
  }
}

/**
 * Where the answer to a form may lead: the program's own redirect URI. Plain http is for loopback alone, as for the
 * redirect URIs themselves.
 */
function formTargets({ redirectHost }: PendingInteraction): readonly string[] {
  if (redirectHost === undefined) return []
  // Of a private scheme, the scheme.
  if (redirectHost.endsWith(':')) return [redirectHost]
  // A policy cannot name an IPv6 address.
  if (redirectHost.startsWith('[::1]')) return ['http:']
  const loopback = /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(redirectHost)
  return loopback ? [`http://${redirectHost}`, `https://${redirectHost}`] : [`https://${redirectHost}`]
}
