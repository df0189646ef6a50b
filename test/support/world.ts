/**
 * A whole registry in memory, made of the protocol core alone: root key, log, timestamper, witnesses, namespaces, keys,
 * publications, approvals, revocations, old views and forks. No HTTP, no database, no clock but its own.
 *
 * How to use it (attack tests of the host and the guard do):
 *
 *     const world = openWorld()                                  // { witnesses: 2, approvers: 2 } and more: WorldOptions
 *     const acme = world.enrol('com.acme')                       // { namespace, own, sign }: logged with snapshots
 *     const v1 = world.release(acme, weather())                  // publish + approve; weather() is a manifest draft
 *     const host = await world.host()                            // openHost at the world's clock, memory in process
 *     await host.review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })
 *
 *     world.publish(acme, draft) · approve(published) · revoke({ kind: 'manifest', digest }) · lift(line)
 *     world.addKey(acme, 'sign', signer) · revokeKey(acme, kid, { invalidFrom })
 *     world.tick(seconds)                                        // moves the clock and refreshes the status
 *     world.clock                                                // POSIX seconds; hosts made here follow it
 *     world.api({ fetchStatus: … })                              // the registry as hosts see it, parts replaced at will
 *     world.frozenApi()                                          // the same, as it is now, for ever: an old view
 *     world.lagging(old)                                         // that old view, able to prove that it is a prefix
 *     world.fork()                                               // same keys, same past, its own future
 *     world.statusBytes({ snapshotOf: size }) · bundleBytes(v1) · revocationBytes() · consistency(from, to)
 *     world.append(event)                                        // any leaf at all, for forged histories
 *     world.succeed({ size })                                    // freezes the log (there) and starts its successor
 *     world.hold() · world.publishHeld()                         // commits without a quorum in between: denials
 *     world.reinstate({ kind: 'manifest', digest })              // lifts a line, logged, shown by later bundles
 *     mutate(bytes, at, bit)                                     // one changed byte
 *
 * Every method that logs something ends with a snapshot, as every batch of a registry does.
 * Its parts stand in the folder beside this file, each with what it keeps; what tests use of them is exported here.
 */
import { keysOf } from './world/keys.js'
import { Ledger } from './world/ledger.js'
import { Namespaces } from './world/namespaces.js'
import type { WorldOptions } from './world/options.js'
import { Publications } from './world/publications.js'
import { World } from './world/world.js'

export { manifestOf, mutate, tool, weather, type Draft } from './world/drafts.js'
export { signerNamed } from './world/keys.js'
export type { Publisher } from './world/namespaces.js'
export { START, type WorldOptions } from './world/options.js'
export { toolsOf, type Published } from './world/publications.js'
export { BLOCK, World } from './world/world.js'

export function openWorld(options: WorldOptions = {}): World {
  const ledger = Ledger.begin(keysOf(options), options)
  return new World(ledger, new Namespaces(ledger), new Publications(ledger))
}
