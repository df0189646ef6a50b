import { fromHex } from '../../client/src/core/bytes.js'
import {
  assertEnrolledKey,
  verifyStrict,
  verifyStrictNoble,
  verifyStrictNode,
} from '../../client/src/core/ed25519.js'

/** A key, a message and a signature in hex. */
export interface Case {
  readonly name: string
  readonly key: string
  readonly msg: string
  readonly sig: string
}

export interface Verdicts {
  /** Which form `verifyStrict` is on this runtime. */
  readonly form: 'node' | 'portable'
  /** Two characters a case: signature accepted by `verifyStrict`, key may be enrolled; `+` or `-`. */
  readonly table: string
  /** Cases in which the portable form says something else than `verifyStrict`. */
  readonly disagreements: readonly string[]
}

/** What this runtime says; bundled and run as it is on each of them. */
export function verdicts(cases: readonly Case[]): Verdicts {
  const disagreements: string[] = []
  const table = cases.map(({ name, key, msg, sig }) => {
    const given = [fromHex(key), fromHex(msg), fromHex(sig)] as const
    const accepted = verifyStrict(...given)
    if (verifyStrictNoble(...given) !== accepted) disagreements.push(name)
    return `${accepted ? '+' : '-'}${isEnrollable(given[0]) ? '+' : '-'}`
  })
  const form = verifyStrictNode === undefined ? 'portable' : 'node'
  return { form, table: table.join(''), disagreements }
}

function isEnrollable(key: Uint8Array): boolean {
  try {
    assertEnrolledKey(key)
    return true
  } catch {
    return false
  }
}
