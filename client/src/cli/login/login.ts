import { resolve } from 'node:path'
import { isJsonObject, refuse } from '../../core/index.js'
import { fetchMe, meLines } from '../account.js'
import { jsonBody, openCall, send } from '../call.js'
import { assertSecure, registryUrl, writeSettings, type Context, type Input } from '../context.js'
import type { Credentials, Login } from './credentials-shape.js'
import { fileKeeper } from './credentials.js'
import { readSecret } from '../files.js'
import { loginByDevice } from './device.js'
import { findPlace, type Place, type PlaceOptions } from './place.js'
import { CLI_CLIENT } from './oauth/discovery.js'
import { makeProofKey, offersProofs } from './oauth/dpop.js'
import { idTokenSource } from './oauth/workflow.js'
import { dim, green } from '../output.js'
import { Secret } from './secret.js'
import { renewed } from './token.js'

interface Options extends PlaceOptions {
  readonly clientId?: string
  readonly clientSecretFile?: string
  readonly clientKeyFile?: string
  readonly clientKeyPassphraseFile?: string
  readonly oneTimePassword?: string
  readonly oneTimePasswordFile?: string
  readonly account: string
  readonly device?: boolean
}

/** `countersign login`: find out where, get a token in one of four ways, keep it, and say who one is. */
export async function login(context: Context, { options }: Input<Options>): Promise<void> {
  const registry = registryUrl(context)
  assertSecure(new URL(registry))
  const way = chooseWay(options, context)
  if (way === 'password') await keepTraded(context, registry, options)
  else await keep(context, registry, await obtain(context, registry, options, way))
  writeSettings(context, { registry })
  const me = await fetchMe(openCall(context))
  context.out.result({ registry, ...me }, [
    [green('logged in'), ` to ${registry}`],
    ...meLines(me),
    ...(way === 'password' ? [[dim(BROWSER)]] : []),
  ])
}

/** The password is spent, and the client that it bought is here alone. */
const BROWSER =
  'for logins in the browser, choose a password with the code of: countersign admin accounts recover admin'

type Way = 'password' | 'client' | 'workflow' | 'device'

/** By what was typed; a workflow shows its own token when nothing was. */
function chooseWay(options: Options, context: Context): Way {
  const { clientSecretFile, clientKeyFile, oneTimePassword, oneTimePasswordFile, device } = options
  const ways: [boolean, Way][] = [
    [oneTimePassword !== undefined || oneTimePasswordFile !== undefined, 'password'],
    [clientSecretFile !== undefined || clientKeyFile !== undefined, 'client'],
    [device === true, 'device'],
  ]
  const chosen = ways.filter(([isAsked]) => isAsked).map(([, way]) => way)
  if (chosen.length > 1) {
    refuse('usage', 'log in by one of --device, --client-id with its secret or key, and --one-time-password')
  }
  if (clientSecretFile !== undefined && clientKeyFile !== undefined) {
    refuse('usage', 'a client has a secret or a key: give --client-secret-file or --client-key-file')
  }
  if (chosen[0] === 'client' && options.clientId === undefined) {
    refuse('usage', '--client-id says whose secret or key it is')
  }
  return chosen[0] ?? (idTokenSource(context.env) === undefined ? 'device' : 'workflow')
}

async function keep(context: Context, registry: string, credentials: Credentials): Promise<void> {
  await fileKeeper(context, registry).change(() => Promise.resolve(credentials))
}

/** A traded password is gone: its client is kept before anything else can fail. */
async function keepTraded(context: Context, registry: string, options: Options): Promise<void> {
  const place = await findPlace(context, registry, options, 'machines')
  const password = options.oneTimePassword ?? readSecret(options.oneTimePasswordFile ?? '-')
  const traded = await tradePassword(context, registry, options.account, new Secret(password))
  await keep(context, registry, traded)
  await keep(context, registry, await proved(context, registry, place, traded))
}

async function tradePassword(
  context: Context,
  registry: string,
  account: string,
  password: Secret,
): Promise<Credentials> {
  const answer = await send(registry, {
    method: 'POST',
    path: '/v1/bootstrap',
    body: jsonBody({ account, password: password.reveal() }),
    signal: context.signal,
  })
  const id = isJsonObject(answer) ? answer['client_id'] : undefined
  const secret = isJsonObject(answer) ? answer['client_secret'] : undefined
  if (typeof id !== 'string' || typeof secret !== 'string')
    refuse('registry-error', 'the registry gave no client')
  return { kind: 'secret', clientId: id, secret: new Secret(secret), account }
}

async function obtain(
  context: Context,
  registry: string,
  options: Options,
  way: Exclude<Way, 'password'>,
): Promise<Credentials> {
  if (way === 'device') return await loginByDevice(context, registry, options)
  const place = await findPlace(context, registry, options, 'machines')
  const clientId = options.clientId ?? CLI_CLIENT
  return await proved(context, registry, place, { ...loginOf(options), clientId })
}

function loginOf({ clientSecretFile, clientKeyFile, clientKeyPassphraseFile }: Options): Login {
  if (clientSecretFile !== undefined) {
    return { kind: 'secret', secret: new Secret(readSecret(clientSecretFile)) }
  }
  if (clientKeyFile === undefined) return { kind: 'workflow' }
  const passphraseFile = clientKeyPassphraseFile === undefined ? undefined : resolve(clientKeyPassphraseFile)
  return {
    kind: 'key',
    keyFile: resolve(clientKeyFile),
    ...(passphraseFile !== undefined && { passphraseFile }),
  }
}

/** Nothing is kept that does not work: the first token is asked for here. */
async function proved(
  context: Context,
  registry: string,
  { door, party }: Place,
  login: Credentials,
): Promise<Credentials> {
  const proofKey = offersProofs(party.server, door) ? await makeProofKey() : undefined
  const kept = {
    ...login,
    issuer: party.server.issuer,
    scope: party.scopes.join(' '),
    resource: door.resource,
    ...(proofKey !== undefined && { proofKey }),
  }
  return await renewed(context, { registry, server: party.server, kept })
}
