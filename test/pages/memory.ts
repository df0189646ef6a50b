import type { AddressInfo } from 'node:net'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import express from 'express'
import helmet from 'helmet'
import { pino } from 'pino'
import type { Accounts } from '../../src/auth/accounts.js'
import { AuthError } from '../../src/auth/errors.js'
import type { Interactions, PendingInteraction } from '../../src/auth/provider/interactions.js'
import { memoryCounter } from '../../src/storage/memory-counter.js'
import { DEFAULT_LIMITS, openLimiter, type Rate } from '../../src/http/limits.js'
import { addPages, type PagesOptions } from '../../src/http/pages.js'
import { trace } from '../../src/http/route.js'
import type { AccountRow } from '../../src/storage/store.js'

/** Everything the pages did, in order: a GET leaves it as it was. */
export type Deed = readonly [name: string, ...values: readonly unknown[]]

type PageAccounts = PagesOptions['auth']['accounts']

const ROW: AccountRow = {
  account: 'u-adaadaadaadaadaa',
  kind: 'person',
  login: 'member',
  roles: ['publisher'],
  disabled: false,
  createdAt: 0,
}

export const PASSWORD = 'correct horse battery'

/** Accounts of one person, `member`; `leaver` is disabled, `once` has a password from somebody else, `shut` is locked. */
export function memoryAccounts(deeds: Deed[]): PageAccounts {
  const refuse = (code: ConstructorParameters<typeof AuthError>[0], message: string = code): never => {
    throw new AuthError(code, message, code === 'locked' ? { retryAfter: 840 } : {})
  }
  const check = ({ login, password }: { login: string; password: string }): AccountRow => {
    if (login === 'shut') return refuse('locked')
    if (login === 'slow') return refuse('busy')
    if (login === 'once' && password === PASSWORD) return refuse('password-change-required')
    return login === 'member' && password === PASSWORD ? ROW : refuse('credentials-invalid')
  }
  return {
    async checkPassword(given) {
      deeds.push(['checkPassword', given])
      return check(given)
    },
    async changePassword(given) {
      deeds.push(['changePassword', given])
      const known = given.login === 'once' && given.password === PASSWORD
      return known ? ROW.account : check(given).account
    },
    async acceptInvitation(given) {
      deeds.push(['acceptInvitation', given])
      if (given.login === 'member') return refuse('login-taken')
      return given.code === 'right-code' ? ROW : refuse('code-invalid')
    },
    async recover(given) {
      deeds.push(['recover', given])
      return given.code === 'right-code' ? ROW.account : refuse('code-invalid')
    },
    read: async () => ROW,
  } satisfies Partial<Accounts>
}

export const UID = 'interaction-1'

/** One login, known by a cookie, that first asks who it is and then for consent. */
export function memoryInteractions(deeds: Deed[], change: Partial<PendingInteraction> = {}): Interactions {
  let pending: PendingInteraction = {
    uid: UID,
    prompt: 'login',
    clientId: 'client',
    clientName: 'Acme Agent',
    redirectHost: '127.0.0.1:5151',
    scopes: ['registry:publish'],
    isDevice: false,
    ...change,
  }
  const read = (req: IncomingMessage): PendingInteraction => {
    if (req.headers.cookie?.includes(`interaction=${pending.uid}`) === true) return pending
    throw new AuthError('interaction-gone', 'there is no such login')
  }
  const redirect = (res: ServerResponse, to: string): void => void res.writeHead(303, { Location: to }).end()
  return {
    read: async (req) => read(req),
    async login(req, res, account) {
      pending = { ...read(req), prompt: 'consent', account }
      deeds.push(['login', account])
      redirect(res, `/login/${pending.uid}`)
    },
    async consent(req, res) {
      deeds.push(['consent', read(req).account])
      redirect(res, `http://${pending.redirectHost}/callback?code=1`)
    },
    async abort(req, res) {
      deeds.push(['abort', read(req).uid])
      redirect(res, `http://${pending.redirectHost}/callback?error=access_denied`)
    },
  }
}

export interface PagesServer {
  readonly url: string
  readonly deeds: Deed[]
  close(): Promise<void>
}

export interface PagesServerOptions {
  readonly interaction?: Partial<PendingInteraction>
  readonly rate?: Rate
  /** As behind a proxy; else the server's own URL. */
  readonly publicUrl?: string
  readonly accounts?: Partial<PageAccounts>
}

/** The pages as the door mounts them: behind its headers, with accounts and logins that are only kept here. */
export async function startPages(options: PagesServerOptions = {}): Promise<PagesServer> {
  const deeds: Deed[] = []
  const app = express()
  app.set('query parser', 'simple')
  app.use(trace, helmet())
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const rate = options.rate ?? { points: 1_000_000, seconds: 1 }
  addPages(app, {
    auth: {
      accounts: { ...memoryAccounts(deeds), ...options.accounts },
      interactions: memoryInteractions(deeds, options.interaction),
    },
    limiter: openLimiter({ ...DEFAULT_LIMITS, token: rate }, (_name, counted) => memoryCounter(counted)),
    publicUrl: options.publicUrl ?? url,
    log: pino({ level: 'silent' }),
  })
  app.use((_req, res) => void res.status(404).end('elsewhere'))
  return {
    url,
    deeds,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
