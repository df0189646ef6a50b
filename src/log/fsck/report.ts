import type { RegistryKeys } from '../keys.js'

/** Only public keys are needed. */
export type CheckKeys = Pick<RegistryKeys, 'identity' | 'origin' | 'log'>

/** What is wrong with one log or one row; a closed list. */
export type FaultCode =
  /** A note of a trust root does not follow the one before it, is not signed by enough, or is not logged. */
  | 'root-invalid'
  /** Frozen logs, positions or the keys of logs are not what the newest trust root says. */
  | 'succession-invalid'
  | 'entry-missing'
  /** Beyond the end of the log. */
  | 'entry-surplus'
  /** No event of the protocol, or not in its one spelling. */
  | 'entry-invalid'
  /** The hash an entry is found by is not its own. */
  | 'leaf-hash-mismatch'
  | 'tile-missing'
  | 'tile-mismatch'
  /** The entries have another root than the state, or the published note, says. */
  | 'root-mismatch'
  /** Not signed by the log's key, or for another tree. */
  | 'checkpoint-invalid'
  | 'checkpoint-missing'
  /** A snapshot does not say what stood at its place, or a batch does not end with one. */
  | 'snapshot-invalid'
  /** The list of a snapshot cannot be given, or is another one. */
  | 'revocations-mismatch'
  /** A derived row does not follow from the entry it names. */
  | 'derived-mismatch'
  /** An entry left no row where it should have. */
  | 'derived-missing'
  /** An envelope is not the one that was logged. */
  | 'envelope-mismatch'

export interface LogFault {
  readonly code: FaultCode
  /** Where: origin, index, level, table and the like. */
  readonly detail: Readonly<Record<string, string | number>>
}

export interface CheckedLog {
  readonly origin: string
  readonly base: number
  readonly size: number
  readonly tiles: number
  readonly checkpoints: number
}

/** What a check found. Sound when there are no faults. */
export interface LogCheck {
  readonly logs: readonly CheckedLog[]
  /** Rows of other tables that were held against their entries. */
  readonly derived: number
  /** How many faults there are; `faults` has the first hundred. */
  readonly faultCount: number
  readonly faults: readonly LogFault[]
}

export interface CheckProgress {
  readonly step: 'entries' | 'derived'
  /** Origin of the log, or name of the table. */
  readonly of: string
  readonly done: number
  /** Absent where nobody has counted. */
  readonly total?: number
}

const MAX_FAULTS = 100

/** Collects what a check finds. */
export interface CheckReport {
  fault(code: FaultCode, detail: LogFault['detail']): void
  checked(log: CheckedLog): void
  /** Tells how far the check is, and lets the process turn to something else. */
  progress(step: CheckProgress): void
  countDerived(rows: number): void
  result(): LogCheck
}

export function openReport(onProgress: (progress: CheckProgress) => void): CheckReport {
  const logs: CheckedLog[] = []
  const faults: LogFault[] = []
  let faultCount = 0
  let derived = 0
  return {
    fault: (code, detail) => {
      faultCount++
      if (faults.length < MAX_FAULTS) faults.push({ code, detail })
    },
    checked: (log) => void logs.push(log),
    progress: onProgress,
    countDerived: (rows) => void (derived += rows),
    result: () => ({ logs, derived, faultCount, faults }),
  }
}
