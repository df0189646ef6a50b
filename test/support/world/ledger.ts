import {
  cosigner,
  encodeBase64,
  formatCheckpointBody,
  formatEvent,
  formatNote,
  formatStatus,
  merkleRoot,
  noteSigner,
  refuse,
  rootNoteDigest,
  type Denials,
  type LogEvent,
  type RevocationLine,
  type Signer,
  type SnapshotEvent,
} from 'countersign/core'
import type { Keys } from './keys.js'
import { Logs, newLog } from './logs.js'
import { START, type WorldOptions } from './options.js'
import { Revocations } from './revocations.js'
import { Roots, witnessName } from './roots.js'

/** What was published when the quorum stopped answering. */
interface Held {
  readonly size: number
  readonly revocations: string
}

export interface NoteChange {
  readonly at?: number
  readonly cosigners?: readonly ('timestamper' | number)[]
  readonly origin?: string
  /** Origin of the log it is of; the active one when absent. */
  readonly log?: string
}

export interface StatusChange {
  readonly note?: string
  readonly snapshotOf?: number
  readonly registry?: string
  readonly event?: string
}

/** The log, the revocations and the roots as a registry keeps them at one clock: every batch ends with a snapshot. */
export class Ledger {
  readonly keys: Keys
  readonly logs: Logs
  readonly revocations: Revocations
  readonly roots: Roots
  /** POSIX seconds. */
  clock = START
  #held: Held | undefined

  constructor(keys: Keys, logs: Logs, revocations: Revocations, roots: Roots) {
    this.keys = keys
    this.logs = logs
    this.revocations = revocations
    this.roots = roots
  }

  /** A ledger whose log begins with the first root. */
  static begin(keys: Keys, options: WorldOptions): Ledger {
    const logs = new Logs([newLog(`${keys.identity}/log`, keys.log)])
    const ledger = new Ledger(keys, logs, new Revocations(), new Roots(keys, options, logs))
    ledger.roots.sign(1)
    ledger.announceRoot(1)
    return ledger
  }

  fork(): Ledger {
    const logs = this.logs.fork()
    const ledger = new Ledger(this.keys, logs, this.revocations.fork(), this.roots.fork(logs))
    ledger.clock = this.clock
    ledger.#held = this.#held
    return ledger
  }

  // --------------------------------------------------------------------------------------------- batches

  /** Logs leaves as they are, and a snapshot; returns the position of the first. */
  append(...events: readonly (LogEvent | string)[]): number {
    const first = this.logs.end
    for (const event of events) this.logs.push(typeof event === 'string' ? event : formatEvent(event))
    this.logs.push(formatEvent(this.#snapshot()))
    this.revocations.keep()
    return first
  }

  /** What an honest snapshot at the next index says. */
  #snapshot(): SnapshotEvent {
    return {
      v: 1,
      t: 'snapshot',
      asOf: this.logs.size,
      revocations: encodeBase64(this.revocations.root),
      count: this.revocations.count,
      rootVersion: this.roots.announced,
    }
  }

  revoke(lines: readonly RevocationLine[]): void {
    this.revocations.add(lines)
    this.append()
  }

  lift(line: RevocationLine): void {
    this.revocations.drop(line)
    this.append()
  }

  announceRoot(version: number): void {
    this.roots.announced = version
    this.append(this.#rootEvent(version))
  }

  #rootEvent(version: number): LogEvent {
    return { v: 1, t: 'root', version, digest: rootNoteDigest(this.roots.note(version) ?? '') }
  }

  /** Freezes the active log at a size and starts its successor, under the next root. */
  succeed(size: number, signer?: Signer): void {
    const { keys, logs, roots } = this
    const number = logs.all.length + 1
    const frozen = logs.succeed(size, `${keys.identity}/log-${number}`, signer ?? keys.nextLog(number))
    this.publishHeld()
    const version = roots.count + 1
    roots.sign(version)
    roots.announced = version
    const root = encodeBase64(merkleRoot(frozen.hashes))
    this.append({ v: 1, t: 'continue', origin: frozen.origin, size, root }, this.#rootEvent(version))
  }

  // ------------------------------------------------------------------------------------------ publishing

  hold(): void {
    this.#held = { size: this.logs.size, revocations: this.revocations.hex }
  }

  publishHeld(): void {
    this.#held = undefined
  }

  note(size: number = this.logs.size, change: NoteChange = {}): string {
    const { keys } = this
    const at = change.at ?? this.clock
    const log = this.logs.of(change.log)
    const root = this.logs.treeRoot(size, log.origin)
    const body = formatCheckpointBody({ origin: change.origin ?? log.origin, size, root })
    const wanted = change.cosigners ?? ['timestamper', ...keys.witnesses.map((_, i) => i)]
    const lines = wanted.map((one) => {
      const named = one === 'timestamper' ? `${keys.identity}/timestamper` : witnessName(one)
      const signer = one === 'timestamper' ? keys.timestamper : keys.witnesses[one]
      return cosigner(named, signer ?? refuse('usage', 'no such witness')).cosign(body, at)
    })
    return formatNote(body, [noteSigner(log.origin, log.signer).sign(body), ...lines])
  }

  statusBytes(change: StatusChange = {}): Uint8Array {
    const held = this.#held
    const size = held?.size ?? this.logs.size
    const last = (change.snapshotOf ?? size) - 1
    return formatStatus({
      format: 'countersign/status/v1',
      registry: change.registry ?? this.keys.identity,
      checkpoint: change.note ?? this.note(size),
      snapshot: { event: change.event ?? this.logs.leaf(last), proof: this.logs.inclusion(last, size) },
      ...(held && held.revocations !== this.revocations.hex && { denials: this.denials() }),
    })
  }

  denials(): Denials {
    const last = this.logs.size - 1
    const snapshot = { event: this.logs.leaf(last), proof: this.logs.inclusion(last) }
    return { checkpoint: this.note(this.logs.size, { cosigners: [] }), snapshot }
  }
}
