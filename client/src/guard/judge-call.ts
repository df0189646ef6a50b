import type { ErrorDetail } from '../core/index.js'
import type { OpenCall } from './call-log.js'
import type { SchemaFault } from './ports.js'
import { judgeName, type Refusal } from './refusal.js'
import { strictnessOf, type Session } from './session.js'
import type { Verified } from './surface.js'
import { toolFacts, type ToolFacts } from './tool-facts.js'
import { withoutHidden } from './hidden.js'

/** Most faults that one violation names. */
const MAX_FAULTS = 8

/**
 * Why a call may not go on, or undefined: the tool by name, the scopes it needs, its arguments by the signed schema.
 * What policy only reports is told here.
 */
export function judgeCall(
  session: Session,
  known: Verified | Refusal,
  call: OpenCall,
): Refusal | undefined | Promise<Refusal | undefined> {
  if ('code' in known) return known
  const refusal = judgeName('tools', known.offer, call.info.name)
  const item = known.offer.allowed?.get(call.info.name)
  if (refusal !== undefined || item === undefined) return refusal
  const facts = toolFacts(item, known.review)
  call.facts = facts
  const { token } = session.settings
  const mustAsk = facts.scopes.length > 0 && token !== undefined && strictnessOf(session, 'scopes') !== 'off'
  if (!mustAsk) return judgeArguments(session, call, facts)
  return judgeScopes(session, call, facts).then((missing) => missing ?? judgeArguments(session, call, facts))
}

// -------------------------------------------------------------------------------------------------- scopes

async function judgeScopes(session: Session, call: OpenCall, facts: ToolFacts): Promise<Refusal | undefined> {
  const granted = await grantedScopes(session)
  if (granted === undefined) {
    tellUnknown(session, call)
    return undefined
  }
  const missing = facts.scopes.filter((scope) => !granted.has(scope))
  const [scope] = missing
  if (scope === undefined) return undefined
  const detail: ErrorDetail = { name: facts.name, scope, scopes: missing }
  if (strictnessOf(session, 'scopes') === 'enforce') return { code: 'scope-missing', detail }
  session.settings.emit({ type: 'scope-missing', call: call.info, detail })
  return undefined
}

/** A token that cannot be read just now, as while its file is replaced, is one of which nothing is known. */
async function grantedScopes({ settings }: Session): Promise<ReadonlySet<string> | undefined> {
  try {
    return await settings.token?.scopes()
  } catch {
    return undefined
  }
}

const told = new WeakSet<Session>()

/** An opaque token and nobody to ask is no lack of a scope: said once, and the server decides. */
function tellUnknown(session: Session, call: OpenCall): void {
  if (told.has(session)) return
  told.add(session)
  session.settings.emit({ type: 'scope-missing', call: call.info, detail: { reason: 'unknown' } })
}

// ----------------------------------------------------------------------------------------------- arguments

function judgeArguments(session: Session, call: OpenCall, facts: ToolFacts): Refusal | undefined {
  const strictness = strictnessOf(session, 'arguments')
  if (strictness === 'off' || session.settings.validator === undefined) return undefined
  const detail = violation(session, facts, 'arguments', call.info.arguments ?? {})
  if (detail === undefined) return undefined
  const enforced = strictness === 'enforce'
  session.settings.emit({ type: 'schema-violation', call: call.info, part: 'arguments', enforced, detail })
  return enforced ? { code: 'schema-violation', detail } : undefined
}

/** What of a value is not as signed, for events and answers; undefined when it is, or when nobody can say. */
export function violation(
  { settings, verifier }: Session,
  facts: ToolFacts,
  part: 'arguments' | 'result',
  value: unknown,
): ErrorDetail | undefined {
  const schema = part === 'arguments' ? facts.input : facts.output
  const check = schema === undefined ? undefined : settings.validator?.check(schema, value)
  if (check?.status === 'unchecked' && verifier.tellOnce(`${part} ${facts.name}`))
    settings.emit({ type: 'schema-unchecked', tool: facts.name, part, reason: check.reason })
  if (check?.status !== 'invalid') return undefined
  return { name: facts.name, part, faults: check.faults.slice(0, MAX_FAULTS).map(showFault) }
}

function showFault({ valuePath, schemaPath, keyword }: SchemaFault): string {
  return withoutHidden(`${valuePath || '/'}: ${keyword} (${schemaPath})`).slice(0, 256)
}
