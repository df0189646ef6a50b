import { CountersignError, formatNote, parseNote, verifyCosignature } from 'countersign/core'
import type { RegistryKeys } from './keys.js'

type Timestamper = Pick<RegistryKeys, 'timestamper'>

/**
 * The note with its witnesses' lines. The timestamper says when this was the newest tree: it is the registry's own voice,
 * never a witness.
 */
export function cosigned(
  note: string,
  witnesses: readonly string[],
  { timestamper }: Timestamper,
  now: number,
): string {
  const { text, signatures } = parseNote(note)
  const own = signatures.map(({ line }) => line)
  return formatNote(text, [...own, ...witnesses, timestamper.cosign(text, Math.floor(now / 1000))])
}

/** When the timestamper saw it, in POSIX milliseconds; undefined for a note that it did not cosign. */
export function madeAt(note: string, { timestamper: { key } }: Timestamper): number | undefined {
  const { text, signatures } = parseNote(note)
  const own = signatures.find(({ name, keyId }) => name === key.name && keyId === key.keyId)
  if (own === undefined) return undefined
  try {
    return verifyCosignature(key, text, own.signature) * 1000
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}
