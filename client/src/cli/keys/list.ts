import { parseNamespace } from '../../core/index.js'
import { openPublicCall } from '../call.js'
import type { Context, Input } from '../context.js'
import { fetchNamespace, type KeyInfo } from '../directory.js'
import { dim, red, yellow, type Line } from '../output.js'
import { asUsage } from '../reference.js'

/** `countersign key list` */
export async function listKeys(context: Context, { args }: Input): Promise<void> {
  const namespace = asUsage(() => parseNamespace(args[0] ?? ''))
  const info = await fetchNamespace(openPublicCall(context), namespace)
  context.out.result(info, info.keys.length === 0 ? [`${namespace} has no key`] : keyLines(info.keys))
}

/** One line a key: since when it counts, and until when. */
export function keyLines(keys: readonly KeyInfo[]): Line[] {
  return keys.map((key) => {
    const roles = Object.entries(key.added).map(([role, index]) => `${role} from ${index}`)
    const line: Line = [key.kid, '  ', dim(roles.join(', '))]
    if (key.revoked === undefined) {
      return key.usableAt === undefined ? line : [...line, '  ', yellow(`counts from ${key.usableAt} on`)]
    }
    return [...line, '  ', red(`revoked at ${key.revoked}, counts until ${key.invalidFrom ?? key.revoked}`)]
  })
}
