import {
  formatRevocationLine,
  parseServerName,
  refuse,
  verifyThreshold,
  type ApproveEvent,
  type DecisionEvent,
  type Digest,
  type PublishEvent,
} from '../../core/index.js'
import {
  counts,
  peopleInForce,
  stands,
  versionName,
  type Published,
  type Standing,
  type State,
} from './replay-state.js'

/** What may approve itself: nothing that adds anything. */
const AUTO_CLASSES: ReadonlySet<string> = new Set(['none', 'cosmetic'])

export function applyPublish(state: State, event: PublishEvent, index: number): void {
  const { namespace } = parseServerName(event.server)
  const keys = state.keys.get(namespace) ?? []
  if (!keys.some((key) => key.kid === event.kid && key.role === 'sign' && counts(key, index))) {
    refuse('key-unknown', `${event.kid} is no sign key of ${namespace} here`)
  }
  const name = versionName(event.server, event.version)
  const known = state.byVersion.get(name)
  if (known !== undefined) assertSameManifest(state, known, event)
  if (state.standings.get(event.manifest) === 'withdrawn') {
    refuse('event-invalid', `${event.server} ${event.version} was withdrawn for good`)
  }
  const { server, version, kid, envelope, manifest: digest, role } = event
  const published: Published = { server, version, digest, envelope, index, namespace, kid, role }
  state.published.set(event.manifest, [...(state.published.get(event.manifest) ?? []), published])
  state.byVersion.set(name, published)
  state.standings.set(event.manifest, 'pending')
}

/** One manifest digest per version for ever; again only when every earlier publication of it no longer counts. */
function assertSameManifest(state: State, known: Published, event: PublishEvent): void {
  if (known.digest !== event.manifest)
    refuse('version-mismatch', `${event.server} ${event.version} has two manifests`)
  if ((state.published.get(event.manifest) ?? []).some((one) => stands(state, one))) {
    refuse('version-mismatch', `${event.server} ${event.version} was published twice`)
  }
}

/** Of what waits or was rejected, by a key that counts, with nothing of it revoked; signed as the root in force asks. */
export function applyApprove(state: State, event: ApproveEvent): void {
  const known = state.published.get(event.manifest)?.at(-1)
  if (known === undefined || known.server !== event.server || known.version !== event.version) {
    refuse('event-invalid', 'approves what was not published')
  }
  const standing = state.standings.get(event.manifest)
  if (standing !== 'pending' && standing !== 'rejected')
    refuse('event-invalid', `approves what is ${standing ?? 'unknown'}`)
  if (isRevoked(state, known)) refuse('event-invalid', 'approves what is revoked')
  if (!stands(state, known)) refuse('key-revoked', `approves what ${known.kid} no longer stands for`)
  assertDeciders(event, 1)
  assertRule(event)
  verifyApprovers(state, event)
  state.standings.set(event.manifest, 'approved')
}

/** Where a rule decided no person did, and only a change that is next to nothing decides itself; nobody is alone in that. */
function assertRule({ auto, sole, deciders }: ApproveEvent): void {
  const byRule = auto !== undefined
  if (byRule !== deciders.includes('auto'))
    refuse('event-invalid', 'names a rule, or the persons who decided')
  if ((byRule || sole === true) && deciders.length > 1)
    refuse('event-invalid', 'says that one decided, and names more')
  if (byRule && (sole === true || !AUTO_CLASSES.has(auto)))
    refuse('event-invalid', 'approves itself by no rule that there is')
}

/** PROTOCOL 6: with approvers in the root a grant carries their signatures, and nothing approves itself. */
function verifyApprovers(state: State, event: ApproveEvent | DecisionEvent): void {
  const { approvers } = peopleInForce(state)
  if (approvers === undefined) return
  if (event.t === 'approve' && event.auto !== undefined)
    refuse('event-invalid', 'nothing approves itself under this root')
  verifyThreshold(event, event.sigs, approvers, state.registry)
}

function assertDeciders({ t, deciders }: ApproveEvent | DecisionEvent, needed: number): void {
  const distinct = new Set(deciders).size
  if (distinct < deciders.length) refuse('event-invalid', 'names a decider twice')
  if (distinct < needed) refuse('event-invalid', `${t} takes ${needed} deciders, ${distinct} did`)
}

export function applyDecision(state: State, event: DecisionEvent): void {
  const known = event.target === 'manifest' ? state.published.get(event.digest ?? '')?.at(-1) : undefined
  if (event.target === 'manifest' && known === undefined) {
    refuse('event-invalid', `decides about a manifest that was not published`)
  }
  switch (event.t) {
    case 'revoke':
      applyRevoke(state, event)
      break
    case 'reinstate':
      applyReinstate(state, event)
      break
    case 'reject':
      move(state, event, known, 'pending', 'rejected')
      break
    case 'withdraw':
      move(state, event, known, 'pending', 'withdrawn')
      break
    case 'deprecate':
      move(state, event, known, 'approved', 'deprecated')
      break
  }
}

function applyRevoke(state: State, event: DecisionEvent): void {
  const line = lineOf(event)
  if (state.lines.has(line)) refuse('event-invalid', 'revokes what is revoked')
  assertDeciders(event, 1)
  state.lines.add(line)
}

/** Two deciders. The line goes whoever decided, so that what follows is not blamed for it too. */
function applyReinstate(state: State, event: DecisionEvent): void {
  if (!state.lines.delete(lineOf(event))) refuse('event-invalid', 'reinstates what was not revoked')
  assertDeciders(event, 2)
  verifyApprovers(state, event)
}

/** A decision about one manifest that takes it from one standing to the next. */
function move(
  state: State,
  event: DecisionEvent,
  known: Published | undefined,
  from: Standing,
  to: Standing,
): void {
  if (known === undefined) return refuse('event-invalid', `${event.t} is about manifests`)
  const { standings } = state
  const standing = standings.get(known.digest)
  const revoked = standing === 'approved' ? isRevoked(state, known) : hasOwnLine(state, known)
  if (standing !== from || revoked) {
    refuse('event-invalid', `${event.t} of what is ${revoked ? 'revoked' : (standing ?? 'unknown')}`)
  }
  assertDeciders(event, 1)
  standings.set(known.digest, to)
}

function isRevoked(state: State, known: Published): boolean {
  const server = formatRevocationLine({ kind: 'server', name: known.server })
  return hasOwnLine(state, known) || state.lines.has(server)
}

function hasOwnLine(state: State, { digest }: Published): boolean {
  return state.lines.has(formatRevocationLine({ kind: 'manifest', digest: digest as Digest }))
}

function lineOf(event: DecisionEvent): string {
  if (event.name !== undefined) return formatRevocationLine({ kind: 'server', name: event.name })
  if (event.digest === undefined || event.target === 'server')
    refuse('event-invalid', 'the decision has no target')
  return formatRevocationLine({ kind: event.target, digest: event.digest })
}
