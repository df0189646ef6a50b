import { readFile } from 'node:fs/promises'
import { parseStrictJson } from 'countersign/core'
import type { z } from 'zod'
import { ConfigError } from '../config.js'
import { hostPolicy } from './schemas/host-policy.js'

export type HostPolicyDocument = z.infer<typeof hostPolicy>

const MAX_BYTES = 64 * 1024

/** The policy that hosts of this organisation are offered, checked by the rules they parse it by. Throws ConfigError. */
export async function readHostPolicy(file: string | undefined): Promise<HostPolicyDocument | undefined> {
  if (file === undefined) return undefined
  try {
    return hostPolicy.parse(parseStrictJson(await readFile(file), { maxBytes: MAX_BYTES }))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'it cannot be read'
    throw new ConfigError('COUNTERSIGN_HOST_POLICY_FILE', `${file} is no policy for hosts: ${why}`)
  }
}
