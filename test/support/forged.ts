import { encodeBase64url, encodeKeyX, eventPayload, utf8Bytes } from 'countersign/core'
import type { KeyAddEvent, Signer } from 'countersign/core'
import type { World } from './world.js'

// Signatures that name one key and are made by another: no honest signer makes them.

/** Who signs, and which kid the signature names. */
type Claim = readonly [by: Signer, kid: string]

export interface Claims {
  readonly after: number
  readonly pop: Claim
  readonly sig: Claim
}

/** The enrolment of a sign key in `com.acme`, signed as claimed. */
export function forgeAddition(world: World, added: Signer, { after, pop, sig }: Claims): KeyAddEvent {
  const about = { v: 1, t: 'key.add', namespace: 'com.acme', role: 'sign', after } as const
  const unsigned = { ...about, x: encodeKeyX(added.publicKey), kid: added.kid }
  const payload = encodeBase64url(eventPayload(unsigned, world.identity))
  const forge = ([by, kid]: Claim): string => {
    const header = encodeBase64url(
      utf8Bytes(`{"alg":"Ed25519","kid":"${kid}","typ":"countersign-key-event+json"}`),
    )
    return `${header}..${signatureOf(header, payload, by)}`
  }
  return { ...unsigned, pop: forge(pop), sig: forge(sig) }
}

/** The same envelope, under the same kid, with a signature by another key. */
export function forgeSignature(envelope: string, by: Signer): string {
  const [header = '', payload = ''] = envelope.split('.')
  return `${header}.${payload}.${signatureOf(header, payload, by)}`
}

const signatureOf = (header: string, payload: string, by: Signer): string =>
  encodeBase64url(by.sign(utf8Bytes(`${header}.${payload}`)))
