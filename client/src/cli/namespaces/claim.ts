import {
  encodeBase64,
  encodeKeyX,
  isJsonObject,
  parseNamespace,
  refuse,
  type JsonObject,
  type NamespaceProof,
  type Signer,
} from '../../core/index.js'
import { jsonBody, openCall, type Call } from '../call.js'
import { forgetClaim, readClaim, writeClaim, type Claim } from './claims.js'
import { writeSettings, type Context, type Input } from '../context.js'
import { fetchNamespace } from '../directory.js'
import { lateLines, readEntry } from '../entry.js'
import { addLater, type Added } from '../keys/add.js'
import { openSigner, type KeyOptions } from '../keys/keys.js'
import { objectsOf, shownMember } from '../members.js'
import { signClaim } from './proof.js'
import { isAskable } from '../login/oauth/workflow.js'
import { bold, dim, green, pairs, quoted, type Line } from '../output.js'
import { pinnedIdentity } from '../pinned.js'
import { asUsage } from '../reference.js'

interface Options extends KeyOptions {
  readonly proof?: string
  readonly ownOnly?: boolean
  readonly endorsed?: string
}

/** `countersign namespace claim`: a challenge, and what to put where; in a workflow that can prove it, the proof at once. */
export async function claimNamespace(context: Context, { args, options }: Input<Options>): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const proof = chooseProof(namespace, options.proof)
  const signer = await openSigner(context, options)
  const call = openCall(context)
  const identity = await pinnedIdentity(context)
  const body = { namespace, proof, x: encodeKeyX(signer.publicKey) }
  const answer = await call('POST', '/v1/namespaces', jsonBody(body))
  if (!isJsonObject(answer)) refuse('registry-error', 'the registry gave no challenge')
  const claim = readAnswer(answer, { namespace, proof, identity })
  await writeClaim(context, claim)
  if (proof === 'oidc' && isAskable(context.env)) {
    await prove(context, call, claim, options)
    return
  }
  assertOwnRecords(claim, signer, answer)
  context.out.result({ ...claim, records: answer['records'] ?? [] }, claimLines(claim, answer))
}

/** By the name alone where only one way can be. */
function chooseProof(namespace: string, typed: string | undefined): Claim['proof'] {
  const usual = /^io\.git(?:hub|lab)\./.test(namespace) ? 'oidc' : 'dns'
  const proof = typed ?? usual
  if (proof === 'dns' || proof === 'http' || proof === 'oidc') return proof
  return refuse('usage', '--proof is dns, http or oidc')
}

/** A challenge of another registry than the pinned one would be signed for that one. */
function readAnswer(
  answer: JsonObject,
  asked: { namespace: string; proof: Claim['proof']; identity: string },
): Claim {
  const text = (name: string): string => {
    const value = shownMember(answer, name)
    return value === '' ? refuse('registry-error', `the registry’s challenge lacks ${name}`) : value
  }
  if (text('audience') !== asked.identity) {
    refuse('registry-error', 'the challenge is of another registry than the pinned one', {
      pinned: asked.identity,
      audience: text('audience'),
    })
  }
  return {
    namespace: asked.namespace,
    proof: asked.proof,
    account: text('account'),
    challenge: text('challenge'),
    audience: asked.identity,
    expires: text('expires'),
  }
}

function claimLines(claim: Claim, answer: JsonObject): Line[] {
  const { namespace, proof, account, expires } = claim
  const head = [
    [bold(namespace), ` for ${account}, to be proved by ${proof} until ${expires}`],
  ] satisfies Line[]
  const next: Line = [dim(`next: countersign namespace verify ${namespace}`)]
  if (proof === 'oidc') {
    const words = 'Run the next command inside of a workflow of that owner, with a token made out to:'
    return [...head, words, ...recordLines(answer), next]
  }
  return [...head, 'Any one of these is enough:', ...recordLines(answer), next]
}

/** What to put where, as the registry says it; whatever members it uses are shown. */
function recordLines(answer: JsonObject): Line[] {
  return objectsOf(answer['records']).flatMap((record): Line[] => {
    const rows = Object.keys(record)
      .map((name) => [name, shownMember(record, name)] as const)
      .filter(([, value]) => value !== '')
    return ['', ...pairs(rows)]
  })
}

/**
 * A record or a token that a person makes says something to every registry that looks: what this one asks for must name
 * this registry, this account and this key, or it would be a proof for somebody else elsewhere.
 */
function assertOwnRecords(claim: Claim, { kid, publicKey }: Signer, answer: JsonObject): void {
  const { proof, audience, account, challenge } = claim
  const own =
    proof === 'oidc'
      ? [`countersign:${audience}:${challenge}`]
      : [
          `v=countersign1; registry=${audience}; account=${account}; kid=${kid}`,
          `v=MCPv1; k=ed25519; p=${encodeBase64(publicKey)}`,
        ]
  const foreign = objectsOf(answer['records']).find((one) => !own.includes(shownMember(one, 'value')))
  if (foreign === undefined) return
  refuse('registry-error', 'the registry asks for a record that is not of this claim and this key', {
    value: shownMember(foreign, 'value'),
  })
}

/** `countersign namespace verify`: sign it, let the registry look, and enrol the key. */
export async function verifyNamespace(context: Context, { args, options }: Input<Options>): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const identity = await pinnedIdentity(context)
  const claim = readClaim(context, identity, namespace)
  if (claim === undefined) {
    refuse('usage', `nothing was claimed here: run \`countersign namespace claim ${namespace}\` first`)
  }
  await prove(context, openCall(context), claim, options)
}

async function prove(context: Context, call: Call, claim: Claim, options: Options): Promise<void> {
  const { namespace } = claim
  const signer = await openSigner(context, options)
  const body = await signClaim(context, claim, signer, options.endorsed)
  const answer = await call('POST', `/v1/namespaces/${namespace}/proofs`, jsonBody(body))
  const own: Added = { role: 'own', ...readEntry(answer) }
  await forgetClaim(context, claim)
  const added = options.ownOnly === true ? [own] : [own, ...(await addSigning(call, claim, signer))]
  writeSettings(context, { namespace })
  const subject = isJsonObject(answer) ? shownMember(answer, 'subject') : ''
  const proof: NamespaceProof = claim.proof
  context.out.result({ namespace, proof, subject, kid: signer.kid, added }, [
    [green('proved'), ` ${namespace} by ${proof}: `, subject],
    ...quoted(`key ${signer.kid}`),
    ...added.map((one): Line => [dim('  '), `role ${one.role} from log index ${one.index} on`]),
    ...lateLines(...added),
  ])
}

/** The same key signs manifests as well, unless it did before: a namespace may be proved again. */
async function addSigning(call: Call, { namespace, audience }: Claim, signer: Signer): Promise<Added[]> {
  const info = await fetchNamespace(call, namespace)
  const known = info.keys.find(({ kid }) => kid === signer.kid)
  if (known?.roles.includes('sign') === true) return []
  return [await addLater(call, audience, info, signer, signer, 'sign')]
}
