import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Provider } from 'oidc-provider'
import type { AccountRow, ClientRow, Store } from '../../storage/store.js'
import { readClientRow } from './adapter-clients.js'
import { AuthError } from '../errors.js'
import { allowedScopes } from './scopes.js'

/** What a login or consent page is about. Everything here may be shown; client names are somebody else's words. */
export interface PendingInteraction {
  readonly uid: string
  readonly prompt: 'login' | 'consent'
  readonly clientId: string
  readonly clientName: string
  /** Where the browser goes afterwards: the host of the redirect URI; absent for devices. */
  readonly redirectHost?: string
  /** The same as an origin, or a private scheme: what the page's `form-action` has to allow. */
  readonly redirectTarget?: string
  /** The scopes that a consent would give: asked for, allowed to the client and to the account. */
  readonly scopes: readonly string[]
  /** Who is logged in, at `consent`. */
  readonly account?: string
  readonly isDevice: boolean
}

/**
 * The authorization server's side of the login pages. A browser is known by its cookie of this one interaction; each of
 * the last three answers with a redirect. Every method throws AuthError `interaction-gone` when the interaction is over
 * or is not this browser's.
 */
export interface Interactions {
  read(req: IncomingMessage, res: ServerResponse): Promise<PendingInteraction>
  /** `account` proved to be this person's. */
  login(req: IncomingMessage, res: ServerResponse, account: string): Promise<void>
  consent(req: IncomingMessage, res: ServerResponse): Promise<void>
  abort(req: IncomingMessage, res: ServerResponse): Promise<void>
}

export interface InteractionsOptions {
  readonly store: Store
  readonly provider: Provider
  readonly issuer: string
}

export function openInteractions({ store, provider, issuer }: InteractionsOptions): Interactions {
  const read = async (req: IncomingMessage, res: ServerResponse): Promise<Pending> => {
    const details = await provider.interactionDetails(req, res).catch(refuseGone)
    // The cookie is one page's; a form of another page must not finish it.
    if (uidOf(req) !== details.uid) throw gone()
    const client = await readClientRow(store, String(details.params['client_id']))
    if (client === undefined || client.disabled) throw gone()
    return { details, client, account: await readAccount(store, details) }
  }
  /** An interaction that waits for exactly this. */
  const readAt = async (prompt: string, req: IncomingMessage, res: ServerResponse): Promise<Pending> => {
    const pending = await read(req, res)
    if (pending.details.prompt.name !== prompt) throw gone()
    return pending
  }
  return {
    async read(req, res) {
      return describe(await read(req, res))
    },
    async login(req, res, account) {
      const { details } = await readAt('login', req, res)
      await forgetOther(provider, details, account)
      // Not remembered: the cookie ends with the browser, and the session with the working day.
      const login = { accountId: account, amr: ['pwd'], remember: false }
      await provider.interactionFinished(req, res, { login })
    },
    async consent(req, res) {
      const pending = await readAt('consent', req, res)
      const grantId = await saveGrant(provider, issuer, pending)
      await provider.interactionFinished(req, res, { consent: { grantId } })
    },
    async abort(req, res) {
      await read(req, res)
      const result = { error: 'access_denied', error_description: 'the person did not agree' }
      await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false })
    },
  }
}

type Details = Awaited<ReturnType<Provider['interactionDetails']>>

interface Pending {
  readonly details: Details
  readonly client: ClientRow
  /** Who is logged in, if that account still stands. */
  readonly account: AccountRow | undefined
}

function uidOf(req: IncomingMessage & { readonly originalUrl?: string }): string | undefined {
  return /^\/login\/([A-Za-z0-9_-]{1,64})(?:[/?]|$)/.exec(req.originalUrl ?? req.url ?? '')?.[1]
}

/** The server says "session not found" for every way in which a login can be over. */
function refuseGone(cause: unknown): never {
  if (cause instanceof Error && cause.name === 'SessionNotFound') throw gone(cause)
  throw cause
}

function gone(cause?: unknown): AuthError {
  return new AuthError('interaction-gone', 'this login is over, or was started in another browser', {
    ...(cause === undefined ? {} : { cause }),
  })
}

async function readAccount(store: Store, { session }: Details): Promise<AccountRow | undefined> {
  const row = session === undefined ? undefined : await store.readAccount(session.accountId)
  return row?.disabled === false ? row : undefined
}

function describe(pending: Pending): PendingInteraction {
  const { details, client, account } = pending
  const isDevice = details.deviceCode !== undefined
  const target = isDevice ? {} : targetOf(details.params['redirect_uri'])
  return {
    uid: details.uid,
    prompt: details.prompt.name === 'consent' ? 'consent' : 'login',
    clientId: client.clientId,
    clientName: client.name,
    scopes: scopesOf(pending),
    isDevice,
    ...target,
    ...(account === undefined ? {} : { account: account.account }),
  }
}

/** Of a private scheme, the scheme: it is what names the program. */
function targetOf(uri: unknown): Pick<PendingInteraction, 'redirectHost' | 'redirectTarget'> {
  if (typeof uri !== 'string' || !URL.canParse(uri)) return {}
  const { protocol, host, origin } = new URL(uri)
  const isWeb = protocol === 'https:' || protocol === 'http:'
  return isWeb
    ? { redirectHost: host, redirectTarget: origin }
    : { redirectHost: protocol, redirectTarget: protocol }
}

function requestedScopes({ params }: Details): string[] {
  const { scope } = params
  return typeof scope === 'string' ? scope.split(' ') : []
}

function scopesOf({ details, client, account }: Pending): string[] {
  const allowed = allowedScopes(client, account)
  return requestedScopes(details).filter((scope) => allowed.includes(scope))
}

/**
 * The login of one person ends with that of another in the same browser. The server would ask in a form that only a
 * script submits.
 */
async function forgetOther(provider: Provider, details: Details, account: string): Promise<void> {
  if (details.session === undefined || details.session.accountId === account) return
  const session = await provider.Session.findByUid(details.session.uid)
  await session?.destroy()
  delete details.session
  await details.persist()
}

/** Each agreement is a grant of its own: ending one program's access leaves the others alone. */
async function saveGrant(provider: Provider, issuer: string, pending: Pending): Promise<string> {
  const { details, client, account } = pending
  if (account === undefined) throw gone()
  const scopes = scopesOf(pending)
  const grant = new provider.Grant({ accountId: account.account, clientId: client.clientId })
  if (requestedScopes(details).includes('openid')) grant.addOIDCScope('openid')
  if (scopes.length > 0) {
    for (const resource of resourcesOf(details, issuer)) grant.addResourceScope(resource, scopes)
  }
  return grant.save()
}

function resourcesOf({ params }: Details, issuer: string): string[] {
  const { resource } = params
  if (typeof resource === 'string') return [resource]
  if (Array.isArray(resource)) return resource.filter((one) => typeof one === 'string')
  return [issuer]
}
