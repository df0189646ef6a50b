import type { JWTPayload } from 'jose'
import type { Store } from '../../storage/store.js'
import { refusedProof, verifyPossession } from './dpop.js'
import { AuthError } from '../errors.js'
import type { TokenScheme } from './verifier.js'

export interface BoundRequest {
  readonly method: string
  /** Path and query as they were sent. */
  readonly path: string
  readonly dpop: readonly string[] | undefined
  readonly scheme: TokenScheme
  readonly token: string
  readonly payload: JWTPayload
}

/**
 * Whether the token is bound to a key that this request proves to hold (RFC 9449). A bound token without its proof is
 * refused, and so is a proof for a token that is not bound: whoever sends one believes that it protects something.
 * @throws AuthError `dpop-invalid`
 */
export async function assertBinding(
  store: Store,
  publicUrl: string,
  { method, path, dpop, scheme, token, payload }: BoundRequest,
): Promise<boolean> {
  const jkt = readThumbprint(payload)
  if (jkt === undefined) {
    if (scheme === 'dpop') throw refusedProof('the token is not bound to a key: send it as Bearer')
    return false
  }
  if (scheme !== 'dpop') throw refusedProof('the token is bound to a key: send it with the scheme DPoP')
  const url = publicUrl + path
  await verifyPossession(store, { proofs: dpop ?? [], method, url, token: { value: token, jkt } })
  return true
}

/** RFC 7800 `cnf`: of all ways to bind a token only this one can be checked here. */
function readThumbprint({ cnf }: JWTPayload): string | undefined {
  if (cnf === undefined) return undefined
  const { jkt, ...others } = Object(cnf) as Readonly<Record<string, unknown>>
  if (typeof jkt === 'string' && Object.keys(others).length === 0) return jkt
  throw new AuthError('token-invalid', 'cnf: the token is bound in a way that this registry cannot check')
}
