import {
  leafHash,
  parseEvent,
  refuse,
  utf8Bytes,
  verifyInclusion,
  type ApproveEvent,
  type Bundle,
  type DecisionEvent,
  type KeyAddEvent,
  type NamespaceEvent,
  type PublishEvent,
  type TrustRoot,
} from '../core/index.js'
import { atStep } from '../verdict.js'
import type { PlacedEvent } from './key-chain.js'
import { frozenTree, type PlacedTree } from './tree.js'

/** The events of a bundle, proved, each with its position. */
export interface Leaves {
  readonly keys: readonly PlacedEvent<NamespaceEvent | KeyAddEvent>[]
  readonly publish: PlacedEvent<PublishEvent> & { readonly leaf: string }
  readonly approve: PlacedEvent<ApproveEvent>
  readonly reinstated: readonly PlacedEvent<DecisionEvent>[]
}

/** PROTOCOL 10.6: every event at its index in its log's tree, positions ascending over all logs; then what each is. */
export function verifyLeaves(bundle: Bundle, tree: PlacedTree, root: TrustRoot): Leaves {
  const keys: PlacedEvent<NamespaceEvent | KeyAddEvent>[] = []
  const reinstated: PlacedEvent<DecisionEvent>[] = []
  let publish: Leaves['publish'] | undefined
  let approve: Leaves['approve'] | undefined
  let last = -1
  for (const leaf of bundle.events) {
    const within = leaf.log === undefined ? tree : frozenTree(root, leaf.log)
    const index = within.base + leaf.index
    const event = atStep(6, 'proof-invalid', () => {
      verifyInclusion(leaf.index, within.size, leafHash(utf8Bytes(leaf.event)), leaf.proof, within.root)
      return parseEvent(leaf.event)
    })
    if (index <= last) refuse('proof-invalid', 'the events of a bundle ascend', { step: 6, index })
    last = index
    if (event.t === 'namespace' || event.t === 'key.add') keys.push({ index, event })
    else if (event.t === 'publish' && publish === undefined) publish = { index, event, leaf: leaf.event }
    else if (event.t === 'approve' && approve === undefined) approve = { index, event }
    else if (event.t === 'reinstate') reinstated.push({ index, event })
    else refuse('proof-invalid', `a ${event.t} event has no place here`, { step: 6, index })
  }
  if (publish === undefined) refuse('proof-invalid', 'the bundle shows no publication', { step: 6 })
  if (approve === undefined) refuse('pending', 'the bundle shows no approval', { step: 7 })
  return { keys, publish, approve, reinstated }
}
