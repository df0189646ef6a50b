import {
  formatEvent,
  refuse,
  signNamespaceEvent,
  signNamespaceProof,
  type NamespaceEvent,
  type Signer,
} from '../../core/index.js'
import type { Claim } from './claims.js'
import type { Context } from '../context.js'
import { readRequest } from '../keys/request.js'
import { idTokenSource } from '../login/oauth/workflow.js'

/** What answers a challenge. */
export interface Answer {
  readonly challenge: string
  /** The signed namespace event. */
  readonly event: string
  /** For dns and http: the same key's word that this challenge is for this account. */
  readonly signature?: string
  /** For oidc: the workflow's token, made for this challenge alone. */
  readonly token?: string
}

/**
 * Answers a challenge with the key and, for oidc, with the workflow's token. All of it names the registry, so that none
 * of it says anything at another one.
 */
export async function signClaim(
  context: Context,
  claim: Claim,
  signer: Signer,
  endorsed?: string,
): Promise<Answer> {
  const { namespace, proof, account, audience, challenge } = claim
  const event = formatEvent(
    endorsed === undefined
      ? signNamespaceEvent({ namespace, proof, account }, audience, signer)
      : readEndorsed(endorsed, claim, signer),
  )
  if (proof === 'oidc') return { challenge, event, token: await requestToken(context, claim) }
  const signature = signNamespaceProof({ account, audience, challenge, namespace }, signer)
  return { challenge, event, signature }
}

/** The event that the authorities signed must be the one of this claim. */
function readEndorsed(file: string, claim: Claim, { kid }: Signer): NamespaceEvent {
  const { registry, event, sigs } = readRequest(file)
  const { namespace, proof, account, audience } = claim
  const isOfClaim =
    event.t === 'namespace' &&
    registry === audience &&
    event.namespace === namespace &&
    event.proof === proof &&
    event.account === account &&
    event.kid === kid
  if (!isOfClaim) refuse('usage', `${file} is not about this claim: namespace, proof, account or key differ`)
  return { ...event, sigs }
}

async function requestToken(context: Context, { audience, challenge }: Claim): Promise<string> {
  const source = idTokenSource(context.env)
  if (source === undefined) {
    refuse(
      'usage',
      'run this inside of the workflow (GitHub Actions: permission id-token: write), or set COUNTERSIGN_ID_TOKEN',
    )
  }
  return (await source(`countersign:${audience}:${challenge}`, context.signal)).reveal()
}
