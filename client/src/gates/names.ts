import { foldServerName, parseServerName, type Manifest } from '../core/index.js'
import { ALARM, excerpt, HOLD, rule, type GateFacts, type Report } from './finding.js'
import type { Path } from './walk.js'

const LOOKALIKE = rule('name-lookalike', ALARM)
const PUNYCODE = rule('name-punycode', HOLD)

const MAX_FINDINGS = 5
/** Shorter namespaces lie one letter apart by chance. */
const LONG_NAMESPACE = 9

interface Shape {
  readonly namespace: string
  readonly namespaceSkeleton: string
  readonly localSkeleton: string
}

/**
 * Server names that can be taken for a known name of another owner (PROTOCOL 2). Names of the same namespace are
 * never compared: an owner may well have `get_user` and `get_users`. A person decides: honest near-names exist.
 */
export function inspectNames(manifest: Manifest, facts: GateFacts, report: Report): void {
  inspectName(manifest.server, ['server'], facts, report)
  const subject = manifest.subject?.server
  if (subject !== undefined) inspectName(subject, ['subject', 'server'], facts, report)
}

function inspectName(name: string, path: Path, { knownServers }: GateFacts, report: Report): void {
  inspectPunycode(name, path, report)
  const folded = foldServerName(name)
  if (knownServers.some(({ server }) => foldServerName(server) === folded)) return
  const own = shapeOf(name)
  let found = 0
  for (const { server, namespace } of knownServers) {
    const why = namespace.toLowerCase() === own.namespace ? undefined : resemblance(own, shapeOf(server))
    if (why === undefined) continue
    report(LOOKALIKE, path, `can be taken for ${excerpt(server)}, another owner's: ${why}`)
    found += 1
    if (found === MAX_FINDINGS) return
  }
}

function inspectPunycode(name: string, path: Path, report: Report): void {
  const labels = parseServerName(name).namespace.toLowerCase().split('.')
  const label = labels.find((one) => one.startsWith('xn--'))
  if (label !== undefined) report(PUNYCODE, path, `${label} stands for characters that ASCII does not show`)
}

/** In what a server's name can be taken for another owner's; undefined when they are told apart, or are one owner's. */
export function looksLike(name: string, other: string): string | undefined {
  const [own, known] = [shapeOf(name), shapeOf(other)]
  return own.namespace === known.namespace ? undefined : resemblance(own, known)
}

/** In what two names of different owners resemble each other; undefined when they are told apart. */
function resemblance(own: Shape, other: Shape): string | undefined {
  if (own.namespaceSkeleton === other.namespaceSkeleton)
    return 'the namespaces differ in separators or look-alike letters only'
  if (own.namespaceSkeleton + own.localSkeleton === other.namespaceSkeleton + other.localSkeleton) {
    return 'the names differ in separators or look-alike letters only'
  }
  if (own.localSkeleton !== other.localSkeleton) return undefined
  if (Math.min(own.namespaceSkeleton.length, other.namespaceSkeleton.length) < LONG_NAMESPACE)
    return undefined
  return isOneEdit(own.namespaceSkeleton, other.namespaceSkeleton)
    ? 'the namespaces differ in one letter'
    : undefined
}

function shapeOf(name: string): Shape {
  const slash = name.indexOf('/')
  const namespace = name.slice(0, slash).toLowerCase()
  return { namespace, namespaceSkeleton: skeleton(namespace), localSkeleton: skeleton(name.slice(slash + 1)) }
}

/** What the eye keeps of a name: no case, no separators, one letter for those that are drawn alike. */
export function skeleton(text: string): string {
  let kept = ''
  for (const char of text.toLowerCase()) {
    if (char === '.' || char === '-' || char === '_' || char === '/') continue
    if (char === '0') kept += 'o'
    else if (char === '1' || char === 'i') kept += 'l'
    else if (char === 'n' && kept.endsWith('r')) kept = `${kept.slice(0, -1)}m`
    else if (char === 'v' && kept.endsWith('v')) kept = `${kept.slice(0, -1)}w`
    else kept += char
  }
  return kept
}

/** Damerau distance of exactly one: a letter more, less, other, or two neighbours swapped. Linear. */
export function isOneEdit(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1) return false
  let start = 0
  while (start < a.length && a[start] === b[start]) start++
  let end = 0
  const room = Math.min(a.length, b.length) - start
  while (end < room && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)]
  if (left.length <= 1 && right.length <= 1) return true
  return left.length === 2 && right.length === 2 && left[0] === right[1] && left[1] === right[0]
}
