import type { JsonObject, Manifest } from '../core/index.js'
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

/** What a voucher speaks of: another version of the same package is other code, anything else another thing. */
function compareSubjects(a: Manifest, b: Manifest, { note }: Pick<Ledger, 'note'>): void {
  if (isSameJson(a.subject, b.subject)) return
  const place = placeAt(b.subject !== undefined, ['subject'])
  const [old, now] = [claimsOf(a), claimsOf(b)]
  const isWithin = [...now].every((claim) => old.has(claim))
  const isLess = isWithin && old.size > now.size
  const words = { text: 'what is vouched for is something else', before: a.subject, after: b.subject }
  note(
    isWithin ? 'artifact' : 'identity',
    isLess ? 'narrowed' : isWithin ? 'text' : 'dangerous',
    place,
    () => words,
  )
}

function claimsOf({ subject }: Manifest): Set<string> {
  return new Set([
    ...(subject?.server === undefined ? [] : [`server ${subject.server}`]),
    ...(subject?.packages ?? []).map(({ registryType, identifier }) => `${registryType} ${identifier}`),
    ...(subject?.remotes ?? []).map(({ url }) => `url ${url}`),
  ])
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
