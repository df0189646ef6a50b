import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Store } from '../../storage/store.js'
import { verifyPossession } from '../token/dpop.js'
import { AuthError } from '../errors.js'
import type { ProviderModule } from './import.js'
import { ROUTES } from './paths.js'

/**
 * RFC 9449 5 for a grant of our own: the server checks the proofs of its built-in grants, but has no way to check one
 * for others. The thumbprint of the proof's key, or undefined without a proof.
 */
export function readTokenBinding(options: {
  readonly store: Store
  readonly issuer: string
  readonly module: ProviderModule
}) {
  const { store, issuer, module } = options
  const url = issuer + ROUTES.token
  return async ({ req }: KoaContextWithOIDC): Promise<string | undefined> => {
    const proofs = req.headersDistinct['dpop']
    if (proofs === undefined) return undefined
    try {
      return await verifyPossession(store, { proofs, method: 'POST', url })
    } catch (cause) {
      if (!(cause instanceof AuthError)) throw cause
      throw new module.errors.InvalidDpopProof(cause.message)
    }
  }
}
