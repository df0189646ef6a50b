import type { Change } from '../../change.js'
import {
  COVERED_MEMBERS,
  manifestItems,
  type ItemKind,
  type Manifest,
  type ManifestItem,
} from '../../core/index.js'
import { bold, dim, green, quoted, red, type Line, type Styled } from '../output.js'

/** Member by member what a document says, under a label for each item; `server` for what belongs to none. */
type Texts = ReadonlyMap<string, ReadonlyMap<string, string>>

const OF_SERVER = [
  'title',
  'description',
  'packages',
  'remotes',
  'launch',
  'authorization',
  'expires',
] as const

/**
 * The exact texts that differ, whole, each side behind its sign: first the items that changed the most. Hidden characters
 * come out as `\u{…}` like everything that is printed.
 */
export function exactLines(
  before: Manifest | undefined,
  after: Manifest,
  changes: readonly Change[],
): Line[] {
  const [old, next] = [before === undefined ? new Map() : textsOf(before), textsOf(after)] as [Texts, Texts]
  const labels = new Set([...changes.map(({ item }) => item), ...next.keys(), ...old.keys()])
  return [...labels].flatMap((label) => itemLines(label, old.get(label), next.get(label)))
}

function itemLines(
  label: string,
  old: ReadonlyMap<string, string> = new Map(),
  next: ReadonlyMap<string, string> = new Map(),
): Line[] {
  const members = [...new Set([...next.keys(), ...old.keys()])]
  const differing = members.filter((member) => old.get(member) !== next.get(member))
  if (differing.length === 0) return []
  return [
    '',
    [bold(label)],
    ...differing.flatMap((member) => [
      [dim(`  ${member}`)] as Line,
      ...sideLines('- ', old.get(member), red),
      ...sideLines('+ ', next.get(member), green),
    ]),
  ]
}

function sideLines(sign: string, text: string | undefined, paint: (text: string) => Styled): Line[] {
  if (text === undefined) return []
  return quoted(text, '  ').map((line): Line => [paint(sign), ...(typeof line === 'string' ? [line] : line)])
}

function textsOf(manifest: Manifest): Texts {
  const server = OF_SERVER.flatMap((name) => memberOf(name, manifest[name]))
  const resources = memberOf('resources', manifest.resources?.mode)
  return new Map([
    ['server', new Map([...server, ...resources])],
    ...manifestItems(manifest).map(({ kind, name, item }) => {
      return [labelOf(kind, name), itemTexts(kind, item, manifest)] as const
    }),
  ])
}

/** As changes name it. */
function labelOf(kind: ItemKind, name: string): string {
  return kind === 'instructions' ? 'instructions' : `${kind} ${name}`
}

function itemTexts(kind: ItemKind, item: ManifestItem, manifest: Manifest): ReadonlyMap<string, string> {
  const tool = kind === 'tool' ? manifest.tools.find((one) => one.definition === item.definition) : undefined
  return new Map([
    ...formTexts(kind, item, ''),
    ...memberOf('scopes', tool?.permissions.length === 0 ? undefined : tool?.permissions),
    ...(item.variants ?? []).flatMap((variant) =>
      formTexts(kind, variant, ` when ${JSON.stringify(variant.when)}`),
    ),
  ])
}

function formTexts(
  kind: ItemKind,
  { definition, slots }: Pick<ManifestItem, 'definition' | 'slots'>,
  suffix: string,
): [string, string][] {
  return [
    ...COVERED_MEMBERS[kind].flatMap((name) => memberOf(`${name}${suffix}`, definition[name])),
    ...memberOf(`slots${suffix}`, slots),
  ]
}

function memberOf(name: string, value: unknown): [string, string][] {
  if (value === undefined) return []
  return [[name, typeof value === 'string' ? value : JSON.stringify(value, undefined, 2)]]
}
