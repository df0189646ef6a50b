import { isJsonObject, type JsonObject, type JsonValue } from '../../core/index.js'
import { resolver, type Resolve } from '../../gates/resolve.js'

/**
 * Looks references up as every reader would. Where readers differ (an anchor that is written like a pointer, an
 * escaped slash or tilde that some decode before they split) a reference leads nowhere that can be compared.
 */
export function openReferences(root: JsonObject): Resolve {
  const resolve = resolver(root)
  const allowed = new Map<string, JsonObject>()
  return (reference) => {
    if (/%(?:2f|7e|25)/i.test(reference)) return undefined
    const found = resolve(reference)
    if (found === undefined || !reference.startsWith('#/')) return found
    const target = follow(root, reference)
    if (typeof target === 'boolean') {
      const known = allowed.get(reference) ?? (target ? {} : { not: {} })
      allowed.set(reference, known)
      return known
    }
    return target === found ? found : undefined
  }
}

/** By the pointer alone. What cannot be decoded stands for itself. */
function follow(root: JsonObject, reference: string): JsonValue | undefined {
  let at: JsonValue | undefined = root
  for (const token of decode(reference).split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
    if (Array.isArray(at)) at = /^(?:0|[1-9]\d{0,8})$/.test(name) ? at[Number(name)] : undefined
    else at = isJsonObject(at) && Object.hasOwn(at, name) ? at[name] : undefined
  }
  return at
}

function decode(reference: string): string {
  try {
    return decodeURIComponent(reference)
  } catch {
    return reference
  }
}
