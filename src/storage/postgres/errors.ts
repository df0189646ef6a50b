import pg from 'pg'
import { StoreError, type StoreErrorCode } from '../errors.js'

/** By SQLSTATE, or its class of two characters. */
const CODES = new Map<string, StoreErrorCode>([
  ['23505', 'duplicate'],
  ['23', 'constraint'],
  // Text that PostgreSQL cannot hold, numbers out of range.
  ['22', 'constraint'],
  ['54', 'limit'],
  ['40', 'busy'],
  ['55P03', 'busy'],
  ['08', 'unavailable'],
  // No connections, memory or disk left.
  ['53', 'unavailable'],
  // Shut down, starting, or a statement that took too long.
  ['57', 'unavailable'],
  // A transaction that said nothing for too long.
  ['25P03', 'unavailable'],
  // A standby, after a failover.
  ['25006', 'unavailable'],
  // A wrong password, or no such database.
  ['28', 'unavailable'],
  ['3D', 'unavailable'],
])

/** The store's word for what PostgreSQL or the way to it said. */
export function translateError(cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause
  if (cause instanceof pg.DatabaseError) {
    const state = cause.code ?? ''
    const code = CODES.get(state) ?? CODES.get(state.slice(0, 2)) ?? 'io'
    // The values of the row that was refused: somebody's login, a hash. Not for a log.
    cause.detail = undefined
    return new StoreError(code, `${state}: ${cause.message}`, { cause })
  }
  if (cause instanceof TypeError) return new StoreError('io', 'a statement of the store failed', { cause })
  const said = cause instanceof Error && cause.message !== '' ? cause.message : 'no connection'
  return new StoreError('unavailable', `the database cannot be reached: ${said}`, { cause })
}

/** Whether the server said, in answer to COMMIT, that nothing of the transaction happened. */
export function isRolledBack({ cause }: StoreError): boolean {
  const state = cause instanceof pg.DatabaseError ? (cause.code ?? '') : ''
  // 40003: statement completion unknown.
  return (state.startsWith('23') || state.startsWith('40')) && state !== '40003'
}

/** After any of these nobody knows what the connection would say next. */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof StoreError && (error.code === 'unavailable' || error.code === 'io')
}
