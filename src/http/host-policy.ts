import { readFile } from 'node:fs/promises'
import { isPolicyNote, MAX_POLICY_BYTES, parsePolicyNote, parseStrictJson, parseText } from 'countersign/core'
import { ConfigError } from '../config.js'
import { hostPolicy } from './schemas/host-policy.js'

/** A policy for hosts as it is served: the file, byte for byte. */
export interface ServedPolicy {
  readonly bytes: Uint8Array
  readonly type: 'text/plain; charset=utf-8' | 'application/json; charset=utf-8'
}

/**
 * The policy that hosts of this organisation are offered, checked by the rules they parse it by: a note, which must be for
 * the hosts of this registry, or a plain document. Whether the right keys signed it is for each host to verify, which
 * knows the trust root. Throws ConfigError.
 */
export async function readHostPolicy(
  file: string | undefined,
  identity: string,
): Promise<ServedPolicy | undefined> {
  if (file === undefined) return undefined
  try {
    return checkServed(await readFile(file), identity)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'it cannot be read'
    throw new ConfigError('COUNTERSIGN_HOST_POLICY_FILE', `${file} is no policy for hosts: ${why}`)
  }
}

function checkServed(bytes: Uint8Array, identity: string): ServedPolicy {
  const text = parseText(bytes, MAX_POLICY_BYTES)
  if (!isPolicyNote(text)) {
    hostPolicy.parse(parseStrictJson(bytes, { maxBytes: MAX_POLICY_BYTES, maxDepth: 4 }))
    return { bytes, type: 'application/json; charset=utf-8' }
  }
  const note = parsePolicyNote(text)
  hostPolicy.parse(note.body)
  if (note.identity !== identity) throw new Error(`it is for the hosts of ${note.identity}`)
  return { bytes, type: 'text/plain; charset=utf-8' }
}
