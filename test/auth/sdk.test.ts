import * as v2 from '@modelcontextprotocol/client'
import * as v1 from '@modelcontextprotocol/sdk/client/auth.js'
import {
  ClientCredentialsProvider as ClientCredentialsV1,
  PrivateKeyJwtProvider as PrivateKeyJwtV1,
} from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addPerson, addPublicClient, answerPages, Browser, REDIRECT, type Person } from '../support/oauth.js'
import { addAccount, send, startRegistry, type Client, type TestRegistry } from '../support/registry.js'

// The OAuth clients that MCP hosts have, unchanged, against our discovery, pages and tokens.

let at: TestRegistry
let person: Person
let service: Client
let keyPem: string
beforeAll(async () => {
  at = await startRegistry()
  person = await addPerson(at, 'person@example.com', ['publisher', 'auditor'])
  await addPublicClient(at, 'mcp-host')
  service = (await addAccount(at, 'sdk-service', ['auditor'])).client
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  keyPem = await exportPKCS8(privateKey)
  await at.registry.store.createClient({
    ...{ clientId: 'sdk-key', account: 'sdk-service', name: 'sdk', authMethod: 'private_key_jwt' },
    jwks: JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig' }] }),
    ...{ redirectUris: [], grantTypes: ['client_credentials'], scopes: ['registry:audit'] },
    ...{ disabled: false, createdAt: Date.now() },
  })
})
afterAll(async () => {
  await at.close()
})

/** A host's provider: a static public client, and a browser where the person is. */
class Host implements v2.OAuthClientProvider, v1.OAuthClientProvider {
  readonly redirectUrl = REDIRECT
  readonly clientMetadata = { redirect_uris: [REDIRECT], client_name: 'MCP host' }
  readonly browser = new Browser(at.url)
  readonly session: Promise<v2.DpopSession> | undefined
  saved: v2.StoredOAuthTokens | undefined
  end: URL | undefined
  discovered: v2.OAuthDiscoveryState | undefined
  #verifier = ''

  constructor(session?: Promise<v2.DpopSession>) {
    this.session = session
  }

  clientInformation() {
    return { client_id: 'mcp-host', issuer: at.url }
  }
  tokens(): v2.StoredOAuthTokens | undefined {
    return this.saved
  }
  saveTokens(tokens: v2.StoredOAuthTokens): void {
    this.saved = tokens
  }
  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }
  codeVerifier(): string {
    return this.#verifier
  }
  saveDiscoveryState(state: v2.OAuthDiscoveryState): void {
    this.discovered = state
  }
  discoveryState(): v2.OAuthDiscoveryState | undefined {
    return this.discovered
  }
  dpop() {
    return this.session
  }
  async redirectToAuthorization(url: URL): Promise<void> {
    this.end = (await answerPages(this.browser, await this.browser.open(url), person)).url
  }
  get code(): string {
    return this.end!.searchParams.get('code')!
  }
  get iss(): string {
    return this.end!.searchParams.get('iss')!
  }
}

const audit = (token: string) => send(at.url, 'GET', '/v1/audit', { token })

/** What a host sees first: a refusal that says where the metadata is. */
async function challenged() {
  const response = await fetch(`${at.url}/v1/audit`)
  return v2.extractWWWAuthenticateParams(response)
}

describe('SDK v2', () => {
  it('finds its way from a 401 and logs a person in, then refreshes', async () => {
    const { resourceMetadataUrl } = await challenged()
    const host = new Host()
    const options = { serverUrl: at.url, resourceMetadataUrl: resourceMetadataUrl! }
    expect(await v2.auth(host, options)).toBe('REDIRECT')
    expect(await v2.auth(host, { ...options, authorizationCode: host.code, iss: host.iss })).toBe(
      'AUTHORIZED',
    )
    expect((await audit(host.saved!.access_token)).status).toBe(200)
    // It asked for every scope that our metadata lists, and got those of the person's roles.
    expect(host.saved!.scope).toBe('registry:publish registry:audit registry:read')
    const before = host.saved!
    expect(await v2.auth(host, options)).toBe('AUTHORIZED')
    expect(host.saved!.refresh_token).not.toBe(before.refresh_token)
    expect((await audit(host.saved!.access_token)).status).toBe(200)
  })

  it('binds its tokens to a key and uses them so', async () => {
    const host = new Host(v2.DpopSession.create())
    expect(await v2.auth(host, { serverUrl: at.url })).toBe('REDIRECT')
    await v2.auth(host, { serverUrl: at.url, authorizationCode: host.code, iss: host.iss })
    expect(host.saved!.token_type).toBe('DPoP')
    expect((await audit(host.saved!.access_token)).body.code).toBe('dpop-invalid')
    const bound = v2.withDpopFromProvider(host)(fetch)
    expect((await bound(`${at.url}/v1/audit?limit=1`)).status).toBe(200)
    const session = await host.session!
    const byHand = v2.withDpop(session, () => host.saved!.access_token)(fetch)
    expect((await byHand(`${at.url}/v1/audit`)).status).toBe(200)
    expect(await v2.auth(host, { serverUrl: at.url })).toBe('AUTHORIZED')
    expect((await bound(`${at.url}/v1/audit`)).status).toBe(200)
  })

  it('gets tokens for services, by secret and by key', async () => {
    const common = { expectedIssuer: at.url, scope: 'registry:audit' }
    const bySecret = new v2.ClientCredentialsProvider({ ...common, ...service })
    const byKey = new v2.PrivateKeyJwtProvider({
      ...common,
      clientId: 'sdk-key',
      privateKey: keyPem,
      algorithm: 'ES256',
    })
    for (const provider of [bySecret, byKey]) {
      expect(await v2.auth(provider, { serverUrl: at.url })).toBe('AUTHORIZED')
      expect((await audit(provider.tokens()!.access_token)).status).toBe(200)
    }
  })
})

describe('SDK v1', () => {
  it('logs a person in, then refreshes', async () => {
    const host = new Host()
    expect(await v1.auth(host, { serverUrl: at.url })).toBe('REDIRECT')
    expect(await v1.auth(host, { serverUrl: at.url, authorizationCode: host.code })).toBe('AUTHORIZED')
    expect((await audit(host.saved!.access_token)).status).toBe(200)
    const before = host.saved!
    expect(await v1.auth(host, { serverUrl: at.url })).toBe('AUTHORIZED')
    expect(host.saved!.refresh_token).not.toBe(before.refresh_token)
  })

  it('starts again when its refresh token was used by somebody else', async () => {
    const host = new Host()
    await v1.auth(host, { serverUrl: at.url })
    await v1.auth(host, { serverUrl: at.url, authorizationCode: host.code })
    const stolen = { ...host.saved! }
    await v1.auth(host, { serverUrl: at.url })
    host.saved = stolen
    await v1.auth(host, { serverUrl: at.url }).catch(() => undefined)
    expect((await audit(stolen.access_token)).body.code).toBe('token-invalid')
  })

  it('gets tokens for services, by secret and by key', async () => {
    const common = { expectedIssuer: at.url, scope: 'registry:audit' }
    const bySecret = new ClientCredentialsV1({ ...common, ...service })
    const byKey = new PrivateKeyJwtV1({
      ...common,
      clientId: 'sdk-key',
      privateKey: keyPem,
      algorithm: 'ES256',
    })
    for (const provider of [bySecret, byKey]) {
      expect(await v1.auth(provider, { serverUrl: at.url })).toBe('AUTHORIZED')
      expect((await audit(provider.tokens()!.access_token)).status).toBe(200)
    }
  })
})
