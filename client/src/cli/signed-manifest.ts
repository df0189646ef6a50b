import {
  decodeBase64url,
  manifestDigest,
  parseManifest,
  refuse,
  type JsonObject,
  type Manifest,
} from '../core/index.js'

/**
 * The manifest in an answer that carries its envelope: read from the signed bytes, whose digest is the one that was asked
 * for, and not from what the registry says about them.
 */
export function readSigned(answer: JsonObject, digest: string): Manifest {
  const envelope = answer['envelope']
  const payload = payloadOf(typeof envelope === 'string' ? envelope : '')
  if (manifestDigest(payload) !== digest) {
    refuse('registry-error', 'the registry shows another manifest than the one asked for', {
      manifest: digest,
    })
  }
  return parseManifest(payload)
}

/** What an envelope is around; its signature is not looked at. */
export function payloadOf(envelope: string): Uint8Array {
  return decodeBase64url(envelope.split('.')[1] ?? '')
}
