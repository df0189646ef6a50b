import { createHash, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose'
import type { Signer } from 'countersign/core'
import {
  addAccount,
  addPublisher,
  approveManifest,
  expectStatus,
  publishManifest,
  revokeManifest,
  sampleManifest,
  startRegistry,
  type Caller,
  type PublishedVersion,
  type Publisher,
  type TestRegistry,
} from '../../support/registry.js'

export const ROLES = ['publisher', 'reviewer', 'admin', 'auditor'] as const
export type MatrixRole = (typeof ROLES)[number]
export type Which = 'own' | 'foreign'

/** A namespace with something in every state. */
export interface Space {
  readonly namespace: string
  readonly key: Signer
  readonly pending: string
  readonly pendingIndex: number
  readonly approved: string
  readonly revoked: string
  readonly revokeIndex: number
  /** Digest of a tool that stands in this namespace alone. */
  readonly tool: string
}

export interface MatrixWorld {
  readonly at: TestRegistry
  readonly identity: string
  readonly spaces: Readonly<Record<Which, Space>>
  /** One account for each role; publisher and reviewer act for the own namespace. */
  readonly callers: Readonly<Record<MatrixRole, Caller>>
  /** Every scope there is, as a token has them. */
  readonly scopes: string
  /** A token of this caller with other claims, signed with the registry's real key. */
  mint(caller: Caller, claims: Readonly<Record<string, unknown>>): Promise<string>
  close(): Promise<void>
}

export async function openMatrixWorld(): Promise<MatrixWorld> {
  const at = await startRegistry()
  const judge = await addAccount(at, 'judge', ['reviewer'])
  const callers = {
    publisher: await addAccount(at, 'm-publisher', ['publisher']),
    reviewer: await addAccount(at, 'm-reviewer', ['reviewer']),
    admin: await addAccount(at, 'm-admin', ['admin']),
    auditor: await addAccount(at, 'm-auditor', ['auditor']),
  }
  const own = await openSpace(at, await addPublisher(at, 'com.own', callers.publisher), judge)
  const stranger = await addAccount(at, 'stranger', ['publisher'])
  const foreign = await openSpace(at, await addPublisher(at, 'org.foreign', stranger), judge)
  // A second account that acts for the namespace: the reviewer's hands are tied there.
  expectStatus(200, await at.admin.put('/v1/admin/namespaces/com.own', { account: 'm-reviewer' }))
  const key = JSON.parse(await readFile(join(at.dir, 'data/oauth/token-signing-key.json'), 'utf8')) as JWK
  return {
    ...{ at, identity: at.identity, callers, spaces: { own, foreign } },
    scopes: ROLES.map(scopeOf).join(' '),
    mint: (caller, claims) => mint(at.url, key, caller, claims),
    close: () => at.close(),
  }
}

async function openSpace(at: TestRegistry, publisher: Publisher, judge: Caller): Promise<Space> {
  const { namespace, key } = publisher
  const publish = async (version: string): Promise<PublishedVersion> => {
    const manifest = sampleManifest(at.identity, { server: `${namespace}/weather`, version })
    const [tool] = manifest.tools
    if (tool === undefined) throw new Error('the sample has a tool')
    const definition = { ...tool.definition, description: `Forecasts of ${namespace}.` }
    return publishManifest(publisher, { ...manifest, tools: [{ ...tool, definition }] })
  }
  const { manifest: approved } = await publish('1.0.0')
  await approveManifest(judge, approved)
  const { manifest: revoked } = await publish('1.1.0')
  await approveManifest(judge, revoked)
  const revokeIndex = await revokeManifest(judge, revoked)
  const { body } = await judge.get(`/v1/servers/${namespace}/weather/versions/1.0.0`)
  const { tools } = body as unknown as { tools: { digest: string }[] }
  const { manifest: pending, index: pendingIndex } = await publish('2.0.0')
  const tool = tools[0]?.digest ?? ''
  return { namespace, key, approved, revoked, revokeIndex, pending, pendingIndex, tool }
}

const SCOPE = {
  publisher: 'registry:publish',
  reviewer: 'registry:review',
  admin: 'registry:admin',
  auditor: 'registry:audit',
} as const

export function scopeOf(role: MatrixRole): string {
  return SCOPE[role]
}

async function mint(
  url: string,
  key: JWK,
  { client }: Caller,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const base = { iss: url, aud: url, sub: client.clientId, client_id: client.clientId }
  return new SignJWT({ ...base, jti: randomUUID(), iat: now, exp: now + 300, ...claims })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', ...(key.kid !== undefined && { kid: key.kid }) })
    .sign(await importJWK(key, 'EdDSA'))
}

/** A key that tokens can be bound to, and proofs for one request each. */
export interface Binding {
  readonly jkt: string
  prove(method: string, url: string, token: string): Promise<string>
}

export async function openBinding(): Promise<Binding> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  return {
    jkt: await calculateJwkThumbprint(jwk),
    prove: (htm, htu, token) =>
      new SignJWT({ htm, htu, ath: createHash('sha256').update(token).digest('base64url') })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setJti(randomUUID())
        .setIssuedAt()
        .sign(privateKey),
  }
}
