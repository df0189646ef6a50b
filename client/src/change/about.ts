import type { JsonObject, Manifest, PackageRef } from '../core/index.js'
import type { ChangeClass } from './class.js'
import { compareIcons } from './icons.js'
import { isSameJson } from './json.js'
import type { Ledger } from './ledger.js'
import { placeAt, type Place } from './places.js'
import { compareTexts, compareTitles } from './text.js'

/** Who speaks, of which server, at which registry. Two manifests that differ in it are not two versions of one thing. */
export function compareIdentity(a: Manifest, b: Manifest, { note }: Ledger): void {
  for (const member of ['registry', 'server', 'role'] as const) {
    if (a[member] === b[member]) continue
    const words = { text: `${member} is another one`, before: a[member], after: b[member] }
    note('identity', 'dangerous', placeAt(true, [member]), () => words)
  }
  compareSubjects(a, b, { note })
}

/**
 * What a voucher speaks of: another version of the same package is other code, any version of it is more, and anything
 * else is another thing.
 */
function compareSubjects(a: Manifest, b: Manifest, { note }: Pick<Ledger, 'note'>): void {
  if (isSameJson(a.subject, b.subject)) return
  const isWithin = isSubset(claimsOf(b, nameOf), claimsOf(a, nameOf))
  const level = isWithin ? subjectLevel(claimsOf(a, versionOf), claimsOf(b, versionOf)) : 'dangerous'
  const words = { text: 'what is vouched for is something else', before: a.subject, after: b.subject }
  const place = placeAt(b.subject !== undefined, ['subject'])
  note(isWithin ? 'artifact' : 'identity', level, place, () => words)
}

/** Of claims with versions: fewer are less; one of any version is more. */
function subjectLevel(a: ReadonlySet<string>, b: ReadonlySet<string>): ChangeClass {
  if (isSubset(b, a)) return a.size > b.size ? 'narrowed' : 'text'
  return [...b].some((claim) => claim.endsWith(ANY_VERSION) && !a.has(claim)) ? 'widened' : 'text'
}

type Vouched = Pick<PackageRef, 'registryType' | 'identifier' | 'version'>

const ANY_VERSION = ' *'
const nameOf = ({ registryType, identifier }: Vouched): string => `${registryType} ${identifier}`
const versionOf = (ref: Vouched): string =>
  nameOf(ref) + (ref.version === undefined ? ANY_VERSION : ` ${ref.version}`)

function claimsOf({ subject }: Manifest, claim: (ref: Vouched) => string): ReadonlySet<string> {
  return new Set([
    ...(subject?.server === undefined ? [] : [`server ${subject.server}`]),
    ...(subject?.packages ?? []).map(claim),
    ...(subject?.remotes ?? []).map(({ url }) => `url ${url}`),
  ])
}

function isSubset(inner: ReadonlySet<string>, outer: ReadonlySet<string>): boolean {
  return [...inner].every((claim) => outer.has(claim))
}

/** What a server says of itself. */
export function compareAbout(a: Manifest, b: Manifest, ledger: Ledger): void {
  const place = (member: keyof Manifest): Place => placeAt(b[member] !== undefined, [member])
  if (a.title !== b.title) {
    compareTitles(
      'the title of the server',
      { before: a.title, after: b.title, place: place('title') },
      ledger,
    )
  }
  for (const member of ['description', 'websiteUrl'] as const) {
    if (a[member] === b[member]) continue
    compareTexts(
      `the ${member} of the server`,
      { before: a[member], after: b[member], place: place(member) },
      ledger,
    )
  }
  if (!isSameJson(a.repository, b.repository)) {
    const words = { text: 'the repository is another one', before: a.repository, after: b.repository }
    ledger.note('text', 'text', place('repository'), () => words)
  }
  if (!isSameJson(a.icons, b.icons)) compareIcons(asList(a), asList(b), place('icons'), ledger)
}

function asList({ icons }: Manifest): JsonObject[] | undefined {
  return icons === undefined ? undefined : [...icons]
}

/**
 * How long the manifest counts. Nobody can do more by it; that it counts longer is not for a machine to approve, so it
 * is a text.
 */
export function compareExpiry({ expires: a }: Manifest, { expires: b }: Manifest, { note }: Ledger): void {
  if (a === b) return
  const isSooner = b !== undefined && (a === undefined || Date.parse(b) < Date.parse(a))
  const words = { text: isSooner ? 'it expires sooner' : 'it counts longer', before: a, after: b }
  note('expiry', isSooner ? 'narrowed' : 'text', placeAt(b !== undefined, ['expires']), () => words)
}
