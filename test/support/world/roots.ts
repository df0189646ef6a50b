import {
  encodeKeyX,
  formatNote,
  formatTime,
  formatTrustRootText,
  formatVerifierKey,
  noteSigner,
  openTrustRoot,
  type Signer,
  type TrustRoot,
  type TrustRootBody,
} from 'countersign/core'
import type { Keys } from './keys.js'
import type { Logs } from './logs.js'
import { START, type WorldOptions } from './options.js'

const FRESHNESS = { refreshSeconds: 300, maxSeconds: 86_400, offlineMaxSeconds: 604_800 }

/** The versions of a registry's trust root that were signed. */
export class Roots {
  /** The version that snapshots name. */
  announced = 1
  readonly #keys: Keys
  readonly #options: WorldOptions
  readonly #logs: Logs
  readonly #notes: string[] = []

  constructor(keys: Keys, options: WorldOptions, logs: Logs) {
    this.#keys = keys
    this.#options = options
    this.#logs = logs
  }

  /** Over the same past, for the logs of the fork. */
  fork(logs: Logs): Roots {
    const roots = new Roots(this.#keys, this.#options, logs)
    roots.announced = this.announced
    roots.#notes.push(...this.#notes)
    return roots
  }

  get count(): number {
    return this.#notes.length
  }

  note(version: number): string | undefined {
    return this.#notes[version - 1]
  }

  /** The version that hosts pin. */
  get first(): TrustRoot {
    return openTrustRoot(this.note(1) ?? '')
  }

  sign(
    version: number,
    change: Partial<TrustRootBody> = {},
    by: readonly Signer[] = [this.#keys.root],
  ): string {
    return (this.#notes[version - 1] = trustRootNote(this.#keys.identity, version, this.#body(change), by))
  }

  #body(change: Partial<TrustRootBody>): TrustRootBody {
    const { identity, root, timestamper, witnesses, approvers, authorities } = this.#keys
    const { expires = START + 365 * 86_400, freshness = FRESHNESS, quorum = witnesses.length } = this.#options
    return {
      expires: formatTime(expires),
      freshness,
      logs: this.#logs.trusted(),
      timestamper: formatVerifierKey(`${identity}/timestamper`, 4, timestamper.publicKey),
      policy: policyText(witnesses, quorum),
      rootKeys: [formatVerifierKey(`${identity}/root`, 1, root.publicKey)],
      threshold: 1,
      ...(approvers.length > 0 && { approvers: allOf(approvers) }),
      ...(authorities.length > 0 && { authorities: allOf(authorities) }),
      ...change,
    }
  }
}

export function trustRootNote(
  identity: string,
  version: number,
  body: TrustRootBody,
  by: readonly Signer[],
): string {
  const text = formatTrustRootText(identity, version, body)
  return formatNote(
    text,
    by.map((signer) => noteSigner(`${identity}/root`, signer).sign(text)),
  )
}

/** Of the witness with that index, as policies and cosignatures name it. */
export function witnessName(index: number): string {
  return `witness.example/w${index + 1}`
}

/** Asks for so many of the witnesses; for nobody where there are none. */
export function policyText(witnesses: readonly Signer[], quorum: number): string {
  if (witnesses.length === 0) return 'quorum none\n'
  const lines = witnesses.map(
    ({ publicKey }, i) => `witness w${i + 1} ${formatVerifierKey(witnessName(i), 4, publicKey)}\n`,
  )
  const names = witnesses.map((_, i) => `w${i + 1}`).join(' ')
  return `${lines.join('')}group g ${quorum} ${names}\nquorum g\n`
}

/** People of whom every one must sign. */
function allOf(signers: readonly Signer[]) {
  return { keys: signers.map(({ publicKey }) => encodeKeyX(publicKey)), threshold: signers.length }
}
