import {
  checkManifest,
  parseStrictJson,
  refuse,
  formatManifest,
  replaceAt,
  slotTemplate,
  MANIFEST_FORMAT,
  type ItemKind,
  type JsonObject,
  type Manifest,
  type ManifestItem,
  type ManifestTool,
  type Slot,
  type Subject,
} from '../core/index.js'
import type { Capture } from './capture.js'
import { itemLabel } from './compare.js'
import type { SurfaceItem } from './surface.js'

export interface ManifestOptions {
  /** Identity of the registry it is signed for. */
  readonly registry: string
  readonly server: string
  readonly version: string
  readonly role: 'publisher' | 'voucher'
  /** For a voucher of something that is no package and no URL: the name its publisher gave it. */
  readonly subjectServer?: string
  readonly title?: string
  readonly description?: string
  /** Which proposals become slots; `sure` by default. */
  readonly slots?: 'none' | 'sure' | 'all'
}

/**
 * Turns a capture into an unsigned manifest, checked as the registry will check it.
 * @throws CountersignError `manifest-invalid` naming the place, `usage` when a voucher speaks of nothing
 */
export function buildManifest(capture: Capture, options: ManifestOptions): Manifest {
  const manifest = {
    format: MANIFEST_FORMAT,
    registry: options.registry,
    server: options.server,
    version: options.version,
    role: options.role,
    ...(options.role === 'voucher' && { subject: subjectOf(capture, options) }),
    ...(options.title !== undefined && { title: options.title }),
    ...(options.description !== undefined && { description: options.description }),
    ...artifacts(capture),
    ...surfaceMembers(capture, options.slots ?? 'sure'),
  }
  return checkManifest(asJson(manifest))
}

/** Plain data through the strict parser: nothing of the capture's objects is kept or shared. */
function asJson(manifest: object): JsonObject {
  return parseStrictJson(formatManifest(manifest as Manifest)) as JsonObject
}

function subjectOf(capture: Capture, options: ManifestOptions): Subject {
  const ref = capture.package?.ref
  const subject: Subject = {
    ...(options.subjectServer !== undefined && { server: options.subjectServer }),
    ...(ref !== undefined && {
      packages: [
        {
          registryType: ref.registryType,
          identifier: ref.identifier,
          ...(ref.version !== undefined && { version: ref.version }),
        },
      ],
    }),
    ...(capture.url !== undefined && { remotes: [{ url: capture.url }] }),
  }
  if (Object.keys(subject).length === 0) {
    refuse(
      'usage',
      'this command runs no package that could be found: say whose server it is with --subject NAME',
    )
  }
  return subject
}

function artifacts(capture: Capture): Partial<Manifest> {
  const found = capture.package
  const launch = found?.launch
  return {
    ...(found !== undefined && { packages: [found.ref] }),
    ...(launch !== undefined && {
      launch: { ...launch, ...(capture.envNames.length > 0 && { env: [...capture.envNames] }) },
    }),
    ...(capture.url !== undefined && { remotes: [{ type: 'streamable-http' as const, url: capture.url }] }),
  }
}

function surfaceMembers(capture: Capture, use: 'none' | 'sure' | 'all'): Partial<Manifest> {
  const of = (kind: ItemKind): ManifestItem[] =>
    capture.surface.items
      .filter((item) => item.kind === kind)
      .map((item) => toItem(item, slotsFor(capture, item, use)))
  const [instructions] = of('instructions')
  const prompts = of('prompt')
  const templates = of('template')
  const { resources } = capture.surface
  return {
    tools: of('tool').map((item): ManifestTool => ({ ...item, permissions: [] })),
    ...(instructions !== undefined && { instructions }),
    ...(prompts.length > 0 && { prompts }),
    ...(templates.length > 0 && { resourceTemplates: templates }),
    ...(resources === 'dynamic' && { resources: { mode: 'dynamic' } }),
    ...(resources === 'listed' && { resources: { mode: 'listed', items: of('resource') } }),
  }
}

function slotsFor(capture: Capture, item: SurfaceItem, use: 'none' | 'sure' | 'all'): Slot[] {
  const label = itemLabel(item)
  const chosen = capture.slots.filter(
    (one) => one.item === label && use !== 'none' && (use === 'all' || one.certainty === 'sure'),
  )
  // The wider proposal for a place comes after the sure one.
  return [...new Map(chosen.map((one) => [one.slot.pointer, one.slot])).values()]
}

/** Where a slot stands, the definition carries its template: no fact of this machine gets into a manifest. */
function toItem(item: SurfaceItem, slots: readonly Slot[]): ManifestItem {
  let definition = item.definition
  for (const slot of slots) definition = replaceAt(definition, slot.pointer, slotTemplate(slot))
  return slots.length === 0 ? { definition } : { definition, slots }
}
