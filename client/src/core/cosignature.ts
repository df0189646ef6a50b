import { concatBytes, utf8Bytes } from './bytes.js'
import { parseCheckpointBody } from './checkpoint.js'
import { verifyStrict } from './ed25519.js'
import { refuse } from './errors.js'
import type { Signer } from './key.js'
import { formatDecimal } from './lexical.js'
import { formatSignatureLine, type VerifierKey, verifierKey } from './note-key.js'
import { recode } from './recode.js'

// C2SP tlog-cosignature v1.0.1, type 0x04. It says: as of this time, the largest consistent tree of this log
// that the cosigner saw has this root. Nothing about what the entries are.

/** A witness or a timestamper. */
export interface Cosigner {
  readonly key: VerifierKey
  /**
   * A whole signature line, without LF, over a checkpoint body at a time in POSIX seconds. Only for bodies
   * the caller knows to extend all that this key has cosigned. Throws `checkpoint-malformed`, or
   * `cosignature-invalid` for a time out of range.
   */
  cosign(checkpointBody: string, timestamp: number): string
}

const TIMESTAMP_BYTES = 8
const COSIGNATURE_BYTES = TIMESTAMP_BYTES + 64

function cosignedMessage(body: string, timestamp: number): Uint8Array {
  return utf8Bytes(`cosignature/v1\ntime ${formatDecimal(timestamp)}\n${body}`)
}

/**
 * Verifies the 72 bytes of a cosignature (time, signature) over a checkpoint body and returns its time in
 * POSIX seconds. Throws `cosignature-invalid` for a key of another type, another length, a time past 2^53 - 1
 * or a signature that is not the key's.
 */
export function verifyCosignature(key: VerifierKey, body: string, cosignature: Uint8Array): number {
  if (key.type !== 4 || cosignature.length !== COSIGNATURE_BYTES) {
    refuse('cosignature-invalid', 'not a cosignature of 72 bytes by a cosigner key', { name: key.name })
  }
  const timestamp = readTimestamp(cosignature)
  const signature = cosignature.subarray(TIMESTAMP_BYTES)
  if (!verifyStrict(key.publicKey, cosignedMessage(body, timestamp), signature)) {
    refuse('cosignature-invalid', 'the cosignature is not valid', { name: key.name })
  }
  return timestamp
}

function readTimestamp(bytes: Uint8Array): number {
  const timestamp = Number(new DataView(bytes.buffer, bytes.byteOffset, TIMESTAMP_BYTES).getBigUint64(0))
  // Past 2^53 - 1 (and past the 2^63 - 1 of the specification) the number would be another one than was
  // signed.
  if (!Number.isSafeInteger(timestamp))
    refuse('cosignature-invalid', 'the time of the cosignature is out of range')
  return timestamp
}

/**
 * Cosigns with a key of type 0x04, which must never sign anything else. Throws `key-invalid` for a bad name.
 */
export function cosigner(name: string, signer: Signer): Cosigner {
  const key = verifierKey(name, 4, signer.publicKey)
  return {
    key,
    cosign: (body, timestamp) => {
      parseCheckpointBody(body)
      const message = recode('cosignature-invalid', 'the time', () => cosignedMessage(body, timestamp))
      const time = new Uint8Array(TIMESTAMP_BYTES)
      new DataView(time.buffer).setBigUint64(0, BigInt(timestamp))
      return formatSignatureLine(name, key.keyId, concatBytes(time, signer.sign(message)))
    },
  }
}
