import { quorumTime, toHex, type Cosignature, type PolicyWitness, type QuorumPolicy } from 'countersign/core'

/** A verified signature line and what it says. */
export interface Cosigned {
  readonly line: string
  readonly cosignature: Cosignature
}

/** The cosignatures over one checkpoint, the last of each witness. */
export interface Gathering {
  readonly note: string
  add(witness: PolicyWitness, cosigned: Cosigned): void
  /** Those of the policy's witnesses, in its order. */
  of(policy: QuorumPolicy): readonly Cosigned[]
  /** True for `quorum none` as well. */
  isQuorum(policy: QuorumPolicy): boolean
}

export function openGathering(note: string): Gathering {
  const found = new Map<string, Cosigned>()
  const of = ({ witnesses }: QuorumPolicy): readonly Cosigned[] =>
    witnesses.flatMap((witness) => found.get(witnessId(witness)) ?? [])
  return {
    note,
    add: (witness, cosigned) => void found.set(witnessId(witness), cosigned),
    of,
    isQuorum: (policy) =>
      policy.isNone ||
      quorumTime(
        policy,
        of(policy).map(({ cosignature }) => cosignature),
      ) !== undefined,
  }
}

/** A witness is its name and key; where it is reached belongs to it, too. */
export function witnessId({ key, url = '' }: PolicyWitness): string {
  return `${key.name} ${toHex(key.publicKey)} ${url}`
}
