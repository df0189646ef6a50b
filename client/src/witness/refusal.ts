/** Why a checkpoint was not cosigned. One code a check, in the order in which they are made. */
export type WitnessCode =
  | 'request-malformed'
  | 'log-unknown'
  | 'note-malformed'
  | 'signature-invalid'
  | 'checkpoint-malformed'
  | 'size-backwards'
  | 'empty-root'
  | 'size-conflict'
  | 'root-conflict'
  | 'proof-invalid'
  | 'clock-behind'

/** tlog-witness v1.0.0 has a status for each; 422 for a second tree of one size is what came after it. */
const STATUS: Readonly<Record<WitnessCode, number>> = {
  'request-malformed': 400,
  'log-unknown': 404,
  'note-malformed': 400,
  'signature-invalid': 403,
  'checkpoint-malformed': 400,
  'size-backwards': 400,
  'empty-root': 422,
  'size-conflict': 409,
  'root-conflict': 422,
  'proof-invalid': 422,
  // No mistake of the log: later it may be cosigned.
  'clock-behind': 503,
}

/** A request that gets no cosignature. The message never holds anything that was signed. */
export class WitnessRefusal extends Error {
  override readonly name = 'WitnessRefusal'
  readonly code: WitnessCode
  /** The size the log can go on from; with `size-conflict` alone. */
  readonly known: number | undefined

  constructor(code: WitnessCode, message: string, options: { known?: number; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : {})
    this.code = code
    this.known = options.known
  }

  get status(): number {
    return STATUS[this.code]
  }
}

/** Refuses a request. */
export function decline(
  code: WitnessCode,
  message: string,
  options: { known?: number; cause?: unknown } = {},
): never {
  throw new WitnessRefusal(code, message, options)
}
