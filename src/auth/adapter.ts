import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { OAuthKeys, Store } from '../storage/store.js'

/**
 * The authorization server's rows, one adapter a model. Clients are ours to make: it reads them and never
 * writes.
 */
export function openAdapter(store: Store, model: string): Adapter {
  return model === 'Client' ? clientAdapter(store) : rowAdapter(store, model)
}

function clientAdapter(store: Store): Adapter {
  const readOnly = (): Promise<never> => Promise.reject(new Error('clients are made by the registry alone'))
  const none = (): Promise<undefined> => Promise.resolve(undefined)
  return {
    find: (id) => readClient(store, id),
    findByUid: none,
    findByUserCode: none,
    upsert: readOnly,
    consume: readOnly,
    destroy: readOnly,
    revokeByGrantId: readOnly,
  }
}

/** A disabled client or account is no client at all: it gets no token. */
async function readClient(store: Store, id: string): Promise<AdapterPayload | undefined> {
  const row = await store.readClient(id)
  if (row === undefined || row.disabled) return undefined
  const account = await store.readAccount(row.account)
  if (account === undefined || account.disabled) return undefined
  return {
    client_id: row.clientId,
    client_secret: row.secretHash,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    scope: row.scopes.join(' '),
  }
}

function rowAdapter(store: Store, model: string): Adapter {
  const seconds = (): number => Math.floor(Date.now() / 1000)
  const by = async (key: keyof OAuthKeys, value: string): Promise<AdapterPayload | undefined> =>
    parsePayload(await store.readOAuthBy(model, key, value))
  return {
    async upsert(id, payload, expiresIn) {
      const keys: OAuthKeys = {
        ...(payload.uid === undefined ? {} : { uid: payload.uid }),
        ...(payload.userCode === undefined ? {} : { userCode: payload.userCode }),
        ...(payload.grantId === undefined ? {} : { grantId: payload.grantId }),
      }
      const expiresAt = expiresIn === undefined ? undefined : seconds() + expiresIn
      await store.putOAuth(model, id, JSON.stringify(payload), keys, expiresAt)
    },
    find: async (id) => parsePayload(await store.readOAuth(model, id)),
    findByUid: (uid) => by('uid', uid),
    findByUserCode: (userCode) => by('userCode', userCode),
    consume: (id) => store.consumeOAuth(model, id, seconds()),
    destroy: (id) => store.deleteOAuth(model, id),
    revokeByGrantId: (grantId) => store.deleteOAuthGrant(grantId),
  }
}

function parsePayload(text: string | undefined): AdapterPayload | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as AdapterPayload)
}
