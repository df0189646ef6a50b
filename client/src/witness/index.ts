/** A witness (C2SP tlog-witness v1.0.0) for any C2SP log: it cosigns what extends all that it cosigned before. */
export { openWitness, type RunningWitness, type WitnessEvent, type WitnessOptions } from './open.js'
export { parseLogs, pinLog } from './logs.js'
