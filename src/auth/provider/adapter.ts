import { createHash } from 'node:crypto'
import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { OAuthKeys, Store } from '../../storage/store.js'
import { readClientMetadata, type ClientRules } from './adapter-clients.js'
import type { ProviderModule } from './import.js'
import type { Pace } from './limits.js'

export interface AdapterOptions {
  readonly store: Store
  readonly module: ProviderModule
  readonly clients: ClientRules
  /** How often one device code may be asked for. */
  readonly pace: Pace
}

/** The authorization server's rows, one adapter a model. Clients are ours to make: it reads them and never writes. */
export function openAdapter(options: AdapterOptions, model: string): Adapter {
  const { store, module } = options
  switch (model) {
    case 'Client':
      return clientAdapter(store, options.clients)
    case 'DeviceCode':
      return deviceAdapter(options)
    case 'ReplayDetection':
      return replayAdapter(store, module)
    case 'AuthorizationCode':
    case 'RefreshToken':
      return secretAdapter(rowAdapter(store, module, model))
    default:
      return rowAdapter(store, module, model)
  }
}

function clientAdapter(store: Store, rules: ClientRules): Adapter {
  const readOnly = (): Promise<never> => Promise.reject(new Error('clients are made by the registry alone'))
  const none = (): Promise<undefined> => Promise.resolve(undefined)
  return {
    find: (id) => readClientMetadata(store, rules, id),
    findByUid: none,
    findByUserCode: none,
    upsert: readOnly,
    consume: readOnly,
    destroy: readOnly,
    revokeByGrantId: readOnly,
  }
}

function rowAdapter(store: Store, module: ProviderModule, model: string): Adapter {
  const by = async (key: keyof OAuthKeys, value: string): Promise<AdapterPayload | undefined> =>
    parsePayload(await store.readOAuthBy(model, key, value))
  return {
    async upsert(id, payload, expiresIn) {
      const expiresAt = expiresIn === undefined ? undefined : seconds() + expiresIn
      await store.putOAuth(model, id, JSON.stringify(payload), keysOf(model, id, payload), expiresAt)
    },
    find: async (id) => parsePayload(await store.readOAuth(model, id)),
    findByUid: (uid) => by('uid', uid),
    findByUserCode: (userCode) => by('userCode', userCode),
    consume: (id) => consumeOnce(store, module, model, id),
    destroy: (id) => store.deleteOAuth(model, id),
    revokeByGrantId: (grantId) => store.deleteOAuthGrant(grantId),
  }
}

/**
 * A grant belongs to itself, so that it falls together with what it gave; a login that is not finished yet to whoever
 * it is about, so that signing out ends it, too.
 */
function keysOf(model: string, id: string, payload: AdapterPayload): OAuthKeys {
  const { uid, userCode, result, session } = payload
  const accountId = payload.accountId ?? result?.login?.accountId ?? session?.accountId
  const grantId = model === 'Grant' ? id : payload.grantId
  return {
    ...(uid === undefined ? {} : { uid }),
    ...(userCode === undefined ? {} : { userCode }),
    ...(grantId === undefined ? {} : { grantId }),
    ...(accountId === undefined ? {} : { accountId }),
  }
}

/**
 * The server looks whether a code or refresh token was used and marks it later: two requests at once would both find
 * it unused. Of those, the second one ends the family, as it would have a moment later.
 */
async function consumeOnce(
  store: Store,
  { errors }: ProviderModule,
  model: string,
  id: string,
): Promise<void> {
  const row = parsePayload(await store.readOAuth(model, id))
  if (row === undefined) throw new errors.InvalidGrant()
  const isFirst = await store.useOnce(`oauth:${model}`, digest(id), row.exp ?? seconds() + DAY)
  if (isFirst) {
    await store.consumeOAuth(model, id, seconds())
    return
  }
  if (row.grantId !== undefined) await store.deleteOAuthGrant(row.grantId)
  throw new errors.InvalidGrant()
}

/**
 * Rows whose id is what a program presents: kept under its digest alone, so that a copy of the database is no copy of
 * the tokens. A digest that is presented itself opens nothing.
 */
function secretAdapter(rows: Adapter): Adapter {
  return {
    ...rows,
    upsert: (id, payload, expiresIn) => rows.upsert(rowOf(id), { ...payload, jti: rowOf(id) }, expiresIn),
    find: async (id) => {
      const payload = isRow(id) ? undefined : await rows.find(rowOf(id))
      return payload === undefined ? undefined : { ...payload, jti: id }
    },
    consume: (id) => rows.consume(rowOf(id)),
    destroy: (id) => rows.destroy(rowOf(id)),
  }
}

/** No character of the server's own ids, so that one is never taken for the other. */
const ROW_MARK = '~'

function isRow(id: string): boolean {
  return id.startsWith(ROW_MARK)
}

function rowOf(secret: string): string {
  return isRow(secret) ? secret : ROW_MARK + digest(secret)
}

/** The server has no way to answer `slow_down`: it asks for a device code at its token endpoint, once a poll. */
function deviceAdapter({ store, module, pace }: AdapterOptions): Adapter {
  const rows = rowAdapter(store, module, 'DeviceCode')
  const secrets = secretAdapter(rows)
  return {
    ...secrets,
    async find(id) {
      const isPoll = module.Provider.ctx?.oidc.route === 'token'
      // The login pages know it by its row: they came to it by the code that a person typed.
      if (!isPoll) return isRow(id) ? rows.find(id) : secrets.find(id)
      if (!(await pace(id))) throw new module.errors.SlowDown()
      return secrets.find(id)
    },
  }
}

/** Proofs and assertions, each good for once, also when it comes twice in the same instant. */
function replayAdapter(store: Store, module: ProviderModule): Adapter {
  return {
    ...rowAdapter(store, module, 'ReplayDetection'),
    async upsert(id, payload, expiresIn) {
      const expiresAt = seconds() + (expiresIn ?? DAY)
      if (!(await store.useOnce('oauth:proof', id, expiresAt))) {
        throw new module.errors.InvalidRequest('a proof or assertion is good for one request')
      }
      await store.putOAuth('ReplayDetection', id, JSON.stringify(payload), {}, expiresAt)
    },
  }
}

const DAY = 86_400

function seconds(): number {
  return Math.floor(Date.now() / 1000)
}

function digest(id: string): string {
  return createHash('sha256').update(id).digest('base64url')
}

function parsePayload(text: string | undefined): AdapterPayload | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as AdapterPayload)
}
