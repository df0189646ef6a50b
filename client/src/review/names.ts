import { isOneEdit, looksLike, skeleton } from '../gates/names.js'
import { parsePackageSpec } from '../resolve/artifact.js'
import type { Newcomer } from './types.js'

/** Shorter scopes lie one letter apart by chance. */
const LONG_SCOPE = 6

/**
 * In what a server can be taken for one that this host remembers: by its signed name, or, where nobody signed it, by the
 * package or the address it is started from (A14). Undefined when they are told apart.
 */
export function confusableWith(
  newcomer: Pick<Newcomer, 'server' | 'package' | 'url'>,
  other: { readonly server: string; readonly slot: string },
): string | undefined {
  if (newcomer.server !== undefined)
    return other.server === '' ? undefined : looksLike(newcomer.server, other.server)
  return packageLike(newcomer.package, other.server) ?? addressLike(newcomer.url, other.slot)
}

/** `@acrne/weather` beside `com.acme/weather`: a package of the very same scope or name may well be that server's own. */
function packageLike(text: string | undefined, server: string): string | undefined {
  const identifier = text === undefined ? undefined : parsePackageSpec(text)?.identifier
  if (identifier === undefined || server === '') return undefined
  const [name = '', scope = ''] = identifier.replace(/^@/, '').toLowerCase().split('/').reverse()
  const [namespace = '', local = ''] = server.toLowerCase().split('/')
  if (skeleton(name) !== skeleton(local)) return undefined
  const owner = namespace.slice(namespace.lastIndexOf('.') + 1)
  if (scope === '')
    return name === local ? undefined : 'the package is named like it but for look-alike letters'
  if (scope === owner) return undefined
  const isNear =
    skeleton(scope) === skeleton(owner) || (scope.length >= LONG_SCOPE && isOneEdit(scope, owner))
  return isNear ? 'the scope of the package looks like its owner’s name' : undefined
}

/** Hosts of one owner may differ in a hyphen or a digit; of two owners they may not. */
function addressLike(url: string | undefined, slot: string): string | undefined {
  const [own, other] = [hostOf(url), hostOf(slot)]
  if (own === undefined || other === undefined || own === other) return undefined
  const owner = (host: string): string => host.split('.').slice(-2).join('.')
  if (owner(own) === owner(other) || skeleton(own) !== skeleton(other)) return undefined
  return 'the address looks like its address'
}

function hostOf(text: string | undefined): string | undefined {
  if (text === undefined || !/^https?:\/\//.test(text) || !URL.canParse(text)) return undefined
  return new URL(text).hostname
}
