import { CountersignError, parseServerName, readEnvelopeKid, refuse } from 'countersign/core'
import type { Examined } from '../judge/examine.js'
import { judgeOf } from '../judge/judge.js'
import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import { findActive } from '../publishers/keys.js'

/** An envelope whose signature holds, by an active key of a namespace that the account acts for. */
export interface Submission extends Examined {
  readonly envelope: string
  readonly namespace: string
  readonly kid: string
  readonly account: string
}

const TYPE = 'countersign-manifest+json'

/**
 * Verifies what arrived, and only then parses it: the kid selects among the active signing keys of the
 * caller's own namespaces, the bytes are verified with it, and the manifest that they are must be for that
 * namespace.
 */
export async function verifySubmission(
  context: Context,
  account: string,
  envelope: string,
): Promise<Submission> {
  const kid = readEnvelopeKid(envelope, TYPE)
  const keys = await readSigningKeys(context, account, kid)
  const [first] = keys
  if (first === undefined) {
    throw new LedgerRefusal('key-unknown', 'no active signing key of your namespaces has this kid', { kid })
  }
  const examined = await judgeOf(context).examine(envelope, first.x)
  const { namespace } = parseServerName(examined.claims.server)
  if (!keys.some((key) => key.namespace === namespace)) {
    refuse('namespace-mismatch', 'the key is not one of the namespace of the server', { namespace, kid })
  }
  return { ...examined, envelope, namespace, kid, account }
}

async function readSigningKeys({ store }: Context, account: string, kid: string) {
  const namespaces = await store.readAccountNamespaces(account)
  const keys = await Promise.all(namespaces.map((namespace) => store.readKeys(namespace)))
  return keys.map((rows) => findActive(rows, kid, 'sign')).filter((row) => row !== undefined)
}

/** What the manifest says of itself: for this registry, and not past its own end. */
export function assertClaims({ claims }: Submission, registry: string, now: number): void {
  if (claims.registry !== registry) {
    refuse('registry-mismatch', 'the manifest is for another registry', { registry: claims.registry })
  }
  if (claims.expires !== undefined && Date.parse(claims.expires) <= now) {
    throw new CountersignError('expired', 'the manifest has expired', { expires: claims.expires })
  }
}
