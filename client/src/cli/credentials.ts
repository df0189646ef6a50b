import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from './context.js'
import { assertPrivate, readState, writeOutput } from './files.js'

/** One registry's OAuth client. The secret is a type of its own, so that nothing prints it by accident. */
export interface Credentials {
  readonly clientId: string
  readonly secret: Secret
  readonly account?: string
  readonly token?: AccessToken
}

export interface AccessToken {
  readonly value: Secret
  /** ms */
  readonly expiresAt: number
  readonly scope: string
}

/** A text that no log line, no JSON document and no error message shows. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself, for the one place that sends or stores it. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return '(secret)'
  }

  toJSON(): string {
    return '(secret)'
  }
}

export function readCredentials(context: Context, registry: string): Credentials | undefined {
  assertPrivate(file(context))
  const all = readState(file(context)) ?? {}
  const entry = all[registry]
  if (typeof entry !== 'object' || entry === null) return undefined
  const { clientId, clientSecret, account, token } = entry as Record<string, unknown>
  if (typeof clientId !== 'string' || typeof clientSecret !== 'string') return undefined
  const access = readToken(token)
  return {
    clientId,
    secret: new Secret(clientSecret),
    ...(typeof account === 'string' && { account }),
    ...(access !== undefined && { token: access }),
  }
}

function readToken(token: unknown): AccessToken | undefined {
  if (typeof token !== 'object' || token === null) return undefined
  const { value, expiresAt, scope } = token as Record<string, unknown>
  if (typeof value !== 'string' || typeof expiresAt !== 'number' || typeof scope !== 'string')
    return undefined
  return { value: new Secret(value), expiresAt, scope }
}

/** 0600, whole or not at all. */
export function writeCredentials(context: Context, registry: string, credentials: Credentials): void {
  const { clientId, secret, account, token } = credentials
  const entry = {
    clientId,
    clientSecret: secret.reveal(),
    ...(account !== undefined && { account }),
    ...(token !== undefined && { token: { ...token, value: token.value.reveal() } }),
  }
  const all = { ...(readState(file(context)) ?? {}), [registry]: entry }
  writeOutput(file(context), `${JSON.stringify(all, undefined, 2)}\n`, 0o600)
}

/** @returns whether there were any */
export function forgetCredentials(context: Context, registry: string): boolean {
  const { [registry]: gone, ...others } = readState(file(context)) ?? {}
  if (gone === undefined) return false
  if (Object.keys(others).length === 0) rmSync(file(context))
  else writeOutput(file(context), `${JSON.stringify(others, undefined, 2)}\n`, 0o600)
  return true
}

function file(context: Context): string {
  return join(context.home, 'credentials.json')
}
