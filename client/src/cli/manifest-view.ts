import {
  COVERED_MEMBERS,
  itemDigests,
  manifestItems,
  type ItemKind,
  type Manifest,
  type ManifestItem,
  type NamedItem,
  type Slot,
} from '../core/index.js'
import { bold, dim, pairs, quoted, type Line } from './output.js'

/**
 * A manifest as the model would read it: every text whole, line by line, each behind a bar. Hidden, control and
 * bidirectional characters come out as `\u{…}`: what the reviewer sees is what the model sees.
 */
export function manifestLines(manifest: Manifest): Line[] {
  return [...headLines(manifest), ...manifestItems(manifest).flatMap((item) => itemLines(item, manifest))]
}

function headLines(manifest: Manifest): Line[] {
  const rows: [string, string][] = [
    ['server', `${manifest.server} ${manifest.version} (${manifest.role})`],
    ['registry', manifest.registry],
  ]
  const add = (name: string, value: unknown): void => {
    if (value !== undefined) rows.push([name, typeof value === 'string' ? value : JSON.stringify(value)])
  }
  add('title', manifest.title)
  add('description', manifest.description)
  add('speaks of', manifest.subject)
  for (const one of manifest.packages ?? []) add('package', one)
  for (const one of manifest.remotes ?? []) add('remote', one)
  add('launch', manifest.launch)
  add('resources', manifest.resources?.mode)
  add('authorization', manifest.authorization)
  add('expires', manifest.expires)
  return pairs(rows)
}

function itemLines({ kind, name, item }: NamedItem, manifest: Manifest): Line[] {
  const digests = itemDigests(kind, item)
  const tool = kind === 'tool' ? manifest.tools.find((one) => one.definition === item.definition) : undefined
  return [
    '',
    [bold(kind === 'instructions' ? 'instructions' : `${kind} ${name}`), dim(`  ${digests[0] ?? ''}`)],
    ...formLines(kind, item),
    ...(tool?.permissions ?? []).map((one): Line => [
      dim('  scope '),
      `${one.scope}${one.required ? ' (required)' : ''}: ${one.reason}`,
    ]),
    ...(item.variants ?? []).flatMap((variant, i): Line[] => [
      [dim('  variant when '), JSON.stringify(variant.when), dim(`  ${digests[i + 1] ?? ''}`)],
      ...formLines(kind, variant),
    ]),
  ]
}

const PROSE = ['title', 'description', 'text']
/** The member that names the item stands in its heading. */
const HEADING: Readonly<Record<ItemKind, string>> = {
  tool: 'name',
  prompt: 'name',
  template: 'uriTemplate',
  resource: 'uri',
  instructions: '',
}

function formLines(kind: ItemKind, form: Pick<ManifestItem, 'definition' | 'slots'>): Line[] {
  const { definition } = form
  const members = COVERED_MEMBERS[kind].filter(
    (name) => name !== HEADING[kind] && definition[name] !== undefined,
  )
  return [
    ...members.flatMap((member) => memberLines(member, definition[member])),
    ...(form.slots ?? []).map(slotLine),
  ]
}

function memberLines(member: string, value: unknown): Line[] {
  const text =
    PROSE.includes(member) && typeof value === 'string' ? value : JSON.stringify(value, undefined, 2)
  return [[dim(`  ${member}`)], ...quoted(text, '    ')]
}

function slotLine(slot: Slot): Line {
  return [dim('  slot '), `${slot.pointer} `, dim(JSON.stringify(slot.parts))]
}
