import type { Capture } from '../publish/index.js'
import { bold, dim, green, red, yellow, type Line } from './output.js'

/** What a capture found, for the person who signs it: on stderr, while the manifest goes to stdout. */
export function captureLines(capture: Capture): Line[] {
  const { surface } = capture
  const count = (kind: string): number => surface.items.filter((item) => item.kind === kind).length
  return [
    [
      bold('captured'),
      ` ${count('tool')} tools, ${count('prompt')} prompts, ${count('template')} resource templates, `,
      surface.items.some((item) => item.kind === 'instructions') ? 'instructions' : 'no instructions',
      dim(
        ` (server says ${surface.serverInfo.name} ${surface.serverInfo.version}, MCP ${surface.protocolVersion})`,
      ),
    ],
    ...packageLines(capture),
    ...slotLines(capture),
    ...warnings(capture),
  ]
}

function packageLines({ package: found, url }: Capture): Line[] {
  if (url !== undefined) return [[dim('remote   '), url]]
  if (found === undefined) return [[yellow('note'), ' the command runs no package that could be found']]
  const { ref, notes } = found
  const integrity = ref.integrity === undefined ? '' : ` ${ref.integrity.slice(0, 24)}…`
  return [
    [dim('package  '), `${ref.registryType}:${ref.identifier}@${ref.version ?? '?'}`, dim(integrity)],
    ...notes.map((note): Line => [yellow('note'), ` ${note}`]),
  ]
}

function slotLines({ slots }: Capture): Line[] {
  return slots.map(({ item, slot, certainty }): Line => {
    const facts = slot.parts.flatMap((part) => (typeof part === 'string' ? [] : [part.fact])).join(', ')
    const sure = certainty === 'sure'
    return [
      sure ? green('slot') : dim('maybe'),
      ` ${item} ${slot.pointer}: ${facts}`,
      sure ? '' : dim(' (--slots all)'),
    ]
  })
}

function warnings({ unstable, surface }: Capture): Line[] {
  const lines = unstable.map(({ item, pointer, what }): Line => [
    red('not deterministic'),
    ` ${item}${pointer === undefined ? '' : ` ${pointer}`}: ${what}; hosts would withhold it`,
  ])
  if (surface.noise > 0)
    lines.push([yellow('note'), ` ${surface.noise} lines on stdout were no MCP messages`])
  if (surface.dropped.length > 0) {
    lines.push([yellow('note'), ` members that no host will see: ${surface.dropped.join(', ')}`])
  }
  return lines
}

/** The same for `--json`. */
export function captureDocument({ surface, slots, unstable, package: found }: Capture) {
  return {
    serverInfo: surface.serverInfo,
    protocolVersion: surface.protocolVersion,
    items: surface.items.map(({ kind, name }) => ({ kind, name })),
    package: found?.ref ?? null,
    notes: found?.notes ?? [],
    slots: slots.map(({ item, slot, certainty }) => ({ item, certainty, ...slot })),
    unstable,
    noise: surface.noise,
    dropped: surface.dropped,
  }
}
