import type { CallLog } from './call-log.js'
import type { Settings } from './options.js'
import type { Staples } from './staple.js'
import type { TaskTable } from './tasks.js'
import type { Verifier } from './verifier.js'
import type { Wire } from './wire.js'

/** What every part of one guarded connection shares. */
export interface Session {
  readonly settings: Settings
  readonly wire: Wire
  readonly verifier: Verifier
  readonly calls: CallLog
  readonly tasks: TaskTable
  readonly staples: Staples
}

/** Sends the request on to the server as the host sent it. */
export type Forward = () => Promise<void>

/** What the policy says about a check; in `observe` nothing is refused. */
export function strictnessOf(
  { settings, verifier }: Session,
  member: 'scopes' | 'arguments' | 'results',
): 'enforce' | 'report' | 'off' {
  const wanted = settings.policy()?.[member] ?? 'report'
  return wanted === 'enforce' && verifier.observing ? 'report' : wanted
}

/** Whether a refused call tells why. */
export function explains({ settings }: Session): boolean {
  return (settings.refusals ?? settings.policy()?.refusals) === 'explain'
}
