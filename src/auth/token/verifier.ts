import { decodeJwt, errors, type JWTPayload } from 'jose'
import type { Principal } from '../scopes.js'

export type TokenScheme = 'bearer' | 'dpop'

/** One accepted issuer of access tokens: it pins its own keys, algorithms and audience. */
export interface TokenVerifier {
  /** Signature, type, issuer, audience and time (RFC 9068); throws JOSEError or AuthError. */
  verify(token: string): Promise<JWTPayload>
  /** Whom a verified token speaks for, if that account, its client and its grant still stand. */
  readPrincipal(payload: JWTPayload): Promise<Omit<Principal, 'isBound'>>
}

export interface ExternalVerifier extends TokenVerifier {
  /** The `iss` of its tokens. */
  readonly issuer: string
}

/** Unverified: it only selects which verifier runs, and each verifier pins its issuer. */
export function claimedIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined
    throw error
  }
}

/** What a token, or a weak or crooked key of its issuer, makes the JOSE library and WebCrypto throw. */
export function isTokenFault(cause: unknown): boolean {
  return cause instanceof errors.JOSEError || cause instanceof TypeError || cause instanceof DOMException
}
