import { canonicalize, digestOfText, type JsonObject } from '../core/index.js'
import { skeleton } from '../gates/names.js'
import type { HostPolicy } from '../host-policy.js'
import type { RememberedServer, ServerMemory } from '../memory.js'
import type { Side } from '../consent/types.js'
import { isInUse } from './known.js'
import { confusableWith } from './names.js'
import { findReferences, indexNames } from './references.js'
import type { LiveItem } from './live.js'
import type { Newcomer, Objection } from './types.js'

/** Another server of this host, as far as it is remembered. */
interface Neighbour {
  /** Empty for one that nobody signed. */
  readonly server: string
  readonly slot: string
  readonly tools: readonly string[]
  readonly since: number
  /** Who they are that it was found to come after. */
  readonly after: ReadonlySet<string>
}

const MAX_SHOWN = 16

/**
 * A server beside the others that this host remembers (A14, A15): whether its name can be taken for one of theirs, whether
 * it offers names of theirs, and whether its texts command their tools. Pure; nothing is said of servers that share no
 * more than honest ones do, and shared names alone are only recorded: 155 names are shared by 71 of 186 real servers.
 *
 * @param remembered every server half this host has; the newcomer's own are known by its slot and name
 */
export function judgeNeighbours(
  newcomer: Newcomer,
  remembered: readonly RememberedServer[],
  policy: Pick<HostPolicy, 'uniqueToolNames'>,
): readonly Objection[] {
  const memories = remembered.filter(({ key }) => key.slot === newcomer.slot).map(({ memory }) => memory)
  const asked = askedAbout(memories)
  const neighbours = neighboursOf(newcomer, remembered)
  const later = new Set(neighbours.filter((one) => isLater(newcomer, asked, one)))
  return [
    ...[...later].flatMap((one) => objectToName(newcomer, one)),
    ...objectToTools(newcomer, neighbours, later, policy),
    ...objectToTexts(newcomer, neighbours, ownNames(newcomer, memories)),
  ]
}

// ------------------------------------------------------------------------------------------- who is beside it

function neighboursOf(newcomer: Newcomer, remembered: readonly RememberedServer[]): Neighbour[] {
  const found = new Map<string, Neighbour>()
  for (const { key, memory } of remembered) {
    const { server, slot } = key
    // The same server in another place of this host is no other server.
    if (slot === newcomer.slot || (server !== '' && server === newcomer.server)) continue
    const { tools, since = 0, pin, resolved } = memory
    const isBeside = server === '' ? pin !== undefined && resolved === undefined : isInUse(memory)
    if (!isBeside) continue
    const one = { server, slot, tools, since, after: askedAbout([memory]) }
    const known = found.get(nameOf(one))
    found.set(nameOf(one), known === undefined ? one : together(known, one))
  }
  return [...found.values()]
}

/** One server in two places: here since the first of them, with the tools of both. */
function together(a: Neighbour, b: Neighbour): Neighbour {
  const [first, second] = a.since <= b.since ? [a, b] : [b, a]
  const tools = [...new Set([...first.tools, ...second.tools])]
  return { ...first, tools, after: new Set([...first.after, ...second.after]) }
}

function nameOf({ server, slot }: Neighbour): string {
  return server === '' ? slot : server
}

/** The other side of the question: who it is, and all that is objected to. Its next version makes no other question of it. */
function sideOf(neighbour: Neighbour, objected: JsonObject): Side {
  return { version: '', manifest: digestOfText(canonicalize(objected)), server: nameOf(neighbour) }
}

/** The servers beside which one was called the newcomer: at the second, and for good. */
function askedAbout(memories: readonly ServerMemory[]): ReadonlySet<string> {
  const questions = memories.flatMap((memory) => memory.questions ?? [])
  const asked = questions.filter(({ reason }) => reason === 'name-confusable' || reason === 'name-shadowed')
  return new Set(asked.flatMap(({ from }) => from?.server ?? []))
}

/**
 * Who came later. Of two that came within one second, it is the one that nobody approved, or that was called the newcomer
 * before; or else always the same one.
 */
function isLater(newcomer: Newcomer, own: ReadonlySet<string>, neighbour: Neighbour): boolean {
  const { server, slot, since, after } = neighbour
  if (newcomer.since === undefined || newcomer.since !== since) return (newcomer.since ?? Infinity) > since
  if (newcomer.approved !== (server !== '')) return !newcomer.approved
  const [isAfter, isBefore] = [own.has(nameOf(neighbour)), after.has(newcomer.server ?? newcomer.slot)]
  return isAfter === isBefore ? newcomer.slot > slot : isAfter
}

function ownNames({ items }: Newcomer, memories: readonly ServerMemory[]): ReadonlySet<string> {
  const live = items.filter(({ kind }) => kind === 'tool').map(({ name }) => name)
  return new Set([...memories.flatMap(({ tools }) => tools), ...live].map((name) => name.toLowerCase()))
}

// ------------------------------------------------------------------------------------------------ its name

function objectToName(newcomer: Newcomer, neighbour: Neighbour): Objection[] {
  const like = confusableWith(newcomer, neighbour)
  if (like === undefined) return []
  const detail = { other: nameOf(neighbour), like }
  const from = sideOf(neighbour, { code: 'name-confusable', ...detail })
  return [{ code: 'name-confusable', reaction: 'withhold', items: [], detail, from }]
}

// ------------------------------------------------------------------------------------- the names of its tools

/**
 * Two approved servers may well share a name. What nobody approved takes none of an approved server, and where the policy
 * wants names to be unique, nobody does. Who was here first keeps its names.
 */
function objectToTools(
  newcomer: Newcomer,
  neighbours: readonly Neighbour[],
  later: ReadonlySet<Neighbour>,
  { uniqueToolNames = false }: Pick<HostPolicy, 'uniqueToolNames'>,
): Objection[] {
  const tools = newcomer.items.filter(({ kind }) => kind === 'tool')
  const shapes = new Map(tools.map(({ name }) => [name, skeleton(name)]))
  return neighbours.flatMap((neighbour) => {
    const taken = new Set(neighbour.tools.map(skeleton))
    const shared = tools.filter(({ name }) => taken.has(shapes.get(name) ?? ''))
    if (shared.length === 0) return []
    const isUnapproved = !newcomer.approved && neighbour.server !== ''
    const isWithheld = later.has(neighbour) && (isUnapproved || uniqueToolNames)
    const why = isUnapproved ? 'unapproved' : 'shared'
    return [shadowed(neighbour, shared, isWithheld ? 'withhold' : 'record', { why })]
  })
}

function shadowed(
  neighbour: Neighbour,
  objected: readonly LiveItem[],
  reaction: Objection['reaction'],
  why: { readonly why: string; readonly names?: readonly string[] },
): Objection {
  const code = 'name-shadowed'
  const items = objected.map(({ kind, name }) => ({ kind, name }))
  const labels = items.map(({ kind, name }) => `${kind} ${name}`).sort()
  const { names, ...rest } = why
  const from = sideOf(neighbour, { code, ...rest, labels, names: [...(names ?? [])].sort() })
  const shown = names === undefined ? {} : { names: names.slice(0, MAX_SHOWN) }
  return { code, reaction, items, detail: { other: nameOf(neighbour), ...rest, ...shown }, from }
}

// ------------------------------------------------------------------------------------------------- its texts

/**
 * Texts that tell a model when and how to use what another server has. Whoever came first: a text that waits for its victim
 * does as much. What nobody approved is held back for naming it at all.
 */
function objectToTexts(
  newcomer: Newcomer,
  neighbours: readonly Neighbour[],
  own: ReadonlySet<string>,
): Objection[] {
  const spoken = indexNames(namesOf(newcomer, neighbours))
  // Most hosts meet a server alone: then its texts speak of nobody.
  if (spoken.distinct.size + spoken.plain.size === 0) return []
  const found = new Map<number, { item: LiveItem; name: string; isCommand: boolean }[]>()
  for (const item of newcomer.items) {
    for (const { neighbour, name, isCommand } of findReferences(item, spoken, own)) {
      const about = found.get(neighbour)
      if (about === undefined) found.set(neighbour, [{ item, name, isCommand }])
      else about.push({ item, name, isCommand })
    }
  }
  return neighbours.flatMap((neighbour, index) => {
    const about = found.get(index) ?? []
    if (about.length === 0) return []
    const blamed = about.filter(({ isCommand }) => isCommand || !newcomer.approved)
    const told = blamed.length > 0 ? blamed : about
    const names = [...new Set(told.map(({ name }) => name))]
    const items = [...new Set(told.map(({ item }) => item))]
    return [shadowed(neighbour, items, blamed.length > 0 ? 'withhold' : 'record', { why: 'refers', names })]
  })
}

/** Its tools, and itself by its whole name; siblings of one owner speak of each other. */
function* namesOf(
  { server }: Newcomer,
  neighbours: readonly Neighbour[],
): Generator<readonly [string, number], void, undefined> {
  for (const [index, neighbour] of neighbours.entries()) {
    if (isSameOwner(server, neighbour.server)) continue
    for (const tool of neighbour.tools) yield [tool, index]
    if (neighbour.server !== '') yield [neighbour.server, index]
  }
}

function isSameOwner(a: string | undefined, b: string): boolean {
  const owner = (name: string): string => name.slice(0, name.indexOf('/')).toLowerCase()
  return a !== undefined && b !== '' && owner(a) === owner(b)
}
