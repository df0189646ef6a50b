import {
  foldServerName,
  formatRevocationLine,
  parseServerName,
  refuse,
  type ApproveEvent,
  type DecisionEvent,
  type PublishEvent,
} from '../core/index.js'
import { counts, type Published, type State } from './replay-state.js'

export function applyPublish(state: State, event: PublishEvent, index: number): void {
  const { namespace } = parseServerName(event.server)
  const keys = state.keys.get(namespace) ?? []
  if (!keys.some((key) => key.kid === event.kid && key.role === 'sign' && counts(key, index))) {
    refuse('key-unknown', `${event.kid} is no sign key of ${namespace} here`)
  }
  const name = `${foldServerName(event.server)} ${event.version}`
  const known = state.byVersion.get(name)
  if (known !== undefined) assertSameManifest(state, known, event)
  const published = { ...event, digest: event.manifest, index, namespace }
  state.published.set(event.manifest, [...(state.published.get(event.manifest) ?? []), published])
  state.byVersion.set(name, published)
}

/** One manifest digest per version for ever; again only when every earlier publication of it no longer counts. */
function assertSameManifest(state: State, known: Published, event: PublishEvent): void {
  if (known.digest !== event.manifest)
    refuse('version-mismatch', `${event.server} ${event.version} has two manifests`)
  const stands = (one: Published): boolean =>
    (state.keys.get(one.namespace) ?? []).some(
      (key) => key.kid === one.kid && key.role === 'sign' && counts(key, one.index),
    )
  if ((state.published.get(event.manifest) ?? []).some(stands)) {
    refuse('version-mismatch', `${event.server} ${event.version} was published twice`)
  }
}

export function applyApprove(state: State, event: ApproveEvent): void {
  const known = state.published.get(event.manifest)?.at(-1)
  if (known === undefined || known.server !== event.server || known.version !== event.version) {
    refuse('event-invalid', 'approves what was not published')
  }
}

export function applyDecision(state: State, event: DecisionEvent): void {
  if (event.target === 'manifest' && !state.published.has(event.digest ?? '')) {
    refuse('event-invalid', `decides about a manifest that was not published`)
  }
  if (event.t !== 'revoke' && event.t !== 'reinstate') return
  const line = lineOf(event)
  if (event.t === 'revoke') state.lines.add(line)
  else if (!state.lines.delete(line)) refuse('event-invalid', 'reinstates what was not revoked')
  if (event.t === 'reinstate' && new Set(event.deciders).size < 2)
    refuse('event-invalid', 'reinstated by one decider')
}

function lineOf(event: DecisionEvent): string {
  if (event.name !== undefined) return formatRevocationLine({ kind: 'server', name: event.name })
  if (event.digest === undefined || event.target === 'server')
    refuse('event-invalid', 'the decision has no target')
  return formatRevocationLine({ kind: event.target, digest: event.digest })
}
