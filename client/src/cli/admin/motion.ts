import {
  canonicalize,
  isJsonObject,
  parseEvent,
  refuse,
  signEvent,
  type ApproveEvent,
  type DecisionEvent,
  type JsonValue,
  type Signer,
} from '../../core/index.js'
import { jsonBody, type Call } from '../call.js'
import type { Context } from '../context.js'
import { lateLines, readPublication, type Publication } from '../entry.js'
import { openSigner, type KeyOptions } from '../keys/keys.js'
import { dim, green, yellow, type Line } from '../output.js'
import { pinnedIdentity } from '../pinned.js'

/** Where something stands that several persons agree on: logged, or waiting for votes or for approvers’ signatures. */
export interface Standing extends Publication {
  /** Once it is logged. */
  readonly index?: number
  readonly votes?: number
  readonly needed?: number
  /** What approvers sign, as canonical JSON. */
  readonly draft?: string
  readonly signatures?: { readonly given: number; readonly needed: number }
}

export function readStanding(answer: JsonValue): Standing {
  if (!isJsonObject(answer)) refuse('registry-error', 'the registry does not say how it stands')
  const { index, votes, needed, draft, signatures } = answer
  return {
    ...(typeof index === 'number' && { index }),
    ...(typeof votes === 'number' && { votes }),
    ...(typeof needed === 'number' && { needed }),
    ...(typeof draft === 'string' && { draft }),
    ...readSignatures(signatures),
    ...readPublication(answer),
  }
}

function readSignatures(value: JsonValue | undefined): Pick<Standing, 'signatures'> {
  if (!isJsonObject(value)) return {}
  const { given, needed } = value
  return typeof given === 'number' && typeof needed === 'number' ? { signatures: { given, needed } } : {}
}

type Draft = ApproveEvent | DecisionEvent

/**
 * Signs a draft as an approver, once it is read and says what this person decided: a registry that shows one thing
 * and drafts another gets no signature.
 * @throws CountersignError `registry-error`
 */
export async function signDraft(
  context: Context,
  call: Call,
  path: string,
  signing: { draft: string; options: KeyOptions; assertMeant: (event: Draft) => void },
): Promise<Standing> {
  const { draft, options, assertMeant } = signing
  const registry = await pinnedIdentity(context)
  const event = readDraft(draft)
  assertMeant(event)
  const signer: Signer = await openSigner(context, options)
  context.out.say(`signing as approver ${signer.kid}: ${sentenceOf(event)}`)
  return readStanding(await call('POST', path, jsonBody({ signature: signEvent(event, registry, signer) })))
}

/** An event without signatures, in its one spelling. */
function readDraft(text: string): Draft {
  const event = parseEvent(text)
  if ((event.t !== 'approve' && event.t !== 'reinstate') || event.sigs !== undefined) {
    refuse('registry-error', 'the registry asks to sign something else than a decision')
  }
  if (canonicalize(event) !== text) refuse('registry-error', 'the draft is not in its one spelling')
  return event
}

function sentenceOf(event: Draft): string {
  const deciders = `decided by ${event.deciders.join(', ')}, after log index ${event.after ?? '-'}`
  if (event.t === 'approve') {
    return `approve ${event.server} ${event.version} under policy ${event.policy}, ${deciders}`
  }
  return `reinstate ${event.name ?? event.digest ?? ''} (${event.reason}), ${deciders}`
}

/** What a person is told: it is done, or what it waits for. */
export function standingLines(done: string, name: string, standing: Standing): Line[] {
  const { index, votes, needed, draft, signatures } = standing
  if (index !== undefined) return [[green(done), ` ${name}, log index ${index}`], ...lateLines(standing)]
  const lines: Line[] = [[yellow('counted'), ` for ${name}`]]
  if (votes !== undefined && needed !== undefined && votes < needed) {
    lines.push(`${votes} of ${needed} persons agree: ${needed - votes} more to come`)
  } else if (signatures !== undefined || draft !== undefined) {
    const { given = 0, needed: asked = 1 } = signatures ?? {}
    lines.push(`the persons agree; ${given} of ${asked} approvers signed`)
    lines.push([dim('next: an approver runs the same command with --key FILE')])
  }
  return lines
}
