import type { Input } from './context.js'
import { isJsonObject, refuse } from '../core/index.js'
import { jsonBody, send } from './call.js'
import { registryUrl, writeSettings, type Context } from './context.js'
import {
  forgetCredentials,
  readCredentials,
  Secret,
  writeCredentials,
  type Credentials,
} from './credentials.js'
import { readSecret } from './files.js'
import { green, pairs } from './output.js'
import { accessToken, renewToken } from './token.js'

interface Options {
  readonly clientId?: string
  readonly clientSecretFile?: string
  readonly oneTimePassword?: string
  readonly oneTimePasswordFile?: string
  readonly account: string
}

/** `countersign login`: get a client, get a token with it, and only then keep both. */
export async function login(context: Context, { options }: Input<Options>): Promise<void> {
  const registry = registryUrl(context)
  const credentials = await obtain(registry, options)
  // A traded password is gone: its client is kept before anything else can fail.
  if (options.clientId === undefined) writeCredentials(context, registry, credentials)
  const token = await renewToken(context, registry, credentials)
  writeSettings(context, { registry })
  const scopes = token.scope.split(' ')
  context.out.result(
    { registry, clientId: credentials.clientId, account: credentials.account ?? null, scopes },
    [
      [green('logged in'), ` to ${registry}`],
      ...pairs([
        ['account', credentials.account ?? '(known to the registry)'],
        ['client', credentials.clientId],
        ['scopes', scopes.join(' ')],
      ]),
    ],
  )
}

async function obtain(registry: string, options: Options): Promise<Credentials> {
  const { clientId, clientSecretFile, oneTimePassword, oneTimePasswordFile } = options
  const byClient = clientId !== undefined || clientSecretFile !== undefined
  const byPassword = oneTimePassword !== undefined || oneTimePasswordFile !== undefined
  if (byClient === byPassword)
    refuse('usage', 'give --client-id and --client-secret-file, or --one-time-password')
  if (byPassword) {
    const password = oneTimePassword ?? readSecret(oneTimePasswordFile ?? '-')
    return await tradePassword(registry, options.account, password)
  }
  if (clientId === undefined || clientSecretFile === undefined) {
    refuse('usage', '--client-id and --client-secret-file go together')
  }
  return { clientId, secret: new Secret(readSecret(clientSecretFile)) }
}

async function tradePassword(registry: string, account: string, password: string): Promise<Credentials> {
  const answer = await send(registry, {
    method: 'POST',
    path: '/v1/bootstrap',
    body: jsonBody({ account, password }),
  })
  const id = isJsonObject(answer) ? answer['client_id'] : undefined
  const secret = isJsonObject(answer) ? answer['client_secret'] : undefined
  if (typeof id !== 'string' || typeof secret !== 'string')
    refuse('registry-error', 'the registry gave no client')
  return { clientId: id, secret: new Secret(secret), account }
}

/** `countersign logout` */
export async function logout(context: Context): Promise<void> {
  const registry = registryUrl(context)
  const forgotten = forgetCredentials(context, registry)
  context.out.result({ registry, forgotten }, [
    forgotten ? `logged out of ${registry}` : `not logged in to ${registry}`,
  ])
  return Promise.resolve()
}

/** `countersign whoami`: asks for a token, so that the answer is what the registry says now. */
export async function whoami(context: Context): Promise<void> {
  const registry = registryUrl(context)
  const token = await accessToken(context, registry)
  const credentials = readCredentials(context, registry)
  const scopes = token.scope.split(' ')
  const account = credentials?.account ?? null
  const clientId = credentials?.clientId ?? ''
  context.out.result(
    { registry, account, clientId, scopes, tokenExpires: new Date(token.expiresAt).toISOString() },
    pairs([
      ['registry', registry],
      ['account', account ?? '(known to the registry)'],
      ['client', clientId],
      ['scopes', scopes.join(' ')],
    ]),
  )
}
