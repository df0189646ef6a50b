import { utf8Bytes } from './bytes.js'
import { canonicalize } from './canonical-json.js'
import type { Digest } from './lexical.js'
import { itemDigest, type ItemKind } from './item.js'
import { itemName, itemOf, type ManifestItem } from './manifest-item.js'
import { isRegistryIdentity, parseServerName, parseVersion } from './name.js'
import {
  anyObject,
  checkShape,
  flag,
  list,
  literal,
  mismatch,
  object,
  optional,
  parsed,
  record,
  text,
} from './shape.js'
import type { Check } from './shape.js'
import { isRemoteFact } from './slot.js'
import { parseStrictJson, type JsonObject, type JsonValue } from './strict-json.js'
import { parseTime } from './time.js'

/** The format member of every manifest. */
export const MANIFEST_FORMAT = 'countersign/manifest/v1'
/** A manifest's payload, in bytes. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024
const MAX_ITEMS = 1000

/** An OAuth scope a tool needs, why, and whether it works without it. */
export interface Permission {
  readonly scope: string
  readonly reason: string
  readonly required: boolean
}

export interface ManifestTool extends ManifestItem {
  readonly permissions: readonly Permission[]
}

/** A package as in the MCP Registry's server.json, with what binds the manifest to its bytes. */
export interface PackageRef {
  readonly registryType: 'npm' | 'pypi' | 'oci' | 'nuget' | 'mcpb' | 'cargo'
  readonly identifier: string
  readonly version?: string
  readonly registryBaseUrl?: string
  readonly runtimeHint?: string
  readonly transport?: JsonObject
  readonly runtimeArguments?: readonly JsonObject[]
  readonly packageArguments?: readonly JsonObject[]
  readonly environmentVariables?: readonly JsonObject[]
  readonly integrity?: string
  readonly lock?: { readonly sha256: string }
  readonly tree?: Readonly<Record<string, string>>
  readonly entry?: string
  readonly fileSha256?: string
  readonly digest?: string
}

export interface RemoteRef {
  readonly type: 'streamable-http' | 'sse'
  readonly url: string
  readonly headers?: readonly JsonObject[]
  readonly variables?: JsonObject
}

/** What runs: environment variables by name only, never their values. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: readonly string[]
}

/** What a voucher speaks of. */
export interface Subject {
  readonly server?: string
  readonly packages?: readonly {
    readonly registryType: PackageRef['registryType']
    readonly identifier: string
    readonly version?: string
  }[]
  readonly remotes?: readonly { readonly url: string }[]
}

/** One version of one server: everything a model can see of it (PROTOCOL 4). */
export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT
  readonly registry: string
  readonly server: string
  readonly version: string
  readonly role: 'publisher' | 'voucher'
  readonly subject?: Subject
  readonly title?: string
  readonly description?: string
  readonly repository?: {
    readonly url: string
    readonly source?: string
    readonly id?: string
    readonly subfolder?: string
  }
  readonly websiteUrl?: string
  readonly icons?: readonly JsonObject[]
  readonly packages?: readonly PackageRef[]
  readonly remotes?: readonly RemoteRef[]
  readonly launch?: Launch
  readonly instructions?: ManifestItem
  readonly prompts?: readonly ManifestItem[]
  readonly resourceTemplates?: readonly ManifestItem[]
  readonly resources?: { readonly mode: 'listed' | 'dynamic'; readonly items?: readonly ManifestItem[] }
  readonly tools: readonly ManifestTool[]
  readonly authorization?: { readonly resource: string; readonly issuers: readonly string[] }
  readonly expires?: string
}

const url = text(8, 2048, /^https?:\/\/[^\s<>"']+$/, 'an http(s) URL')
const hex64 = text(64, 64, /^[0-9a-f]{64}$/, '64 lower-case hex digits')
const registryType = literal('npm', 'pypi', 'oci', 'nuget', 'mcpb', 'cargo')
const identifier = text(1, 512, /^[^\s\p{Cc}]+$/u, 'a package identifier')
const packageVersion = text(1, 255, /^[^\s\p{Cc}]+$/u, 'an exact version')
const objects = list(anyObject, 0, 64)
const icons = list(anyObject, 0, 32)

const packageRef: Check<PackageRef> = object({
  registryType,
  identifier,
  version: optional(packageVersion),
  registryBaseUrl: optional(url),
  runtimeHint: optional(text(1, 128)),
  transport: optional(anyObject),
  runtimeArguments: optional(objects),
  packageArguments: optional(objects),
  environmentVariables: optional(objects),
  integrity: optional(text(95, 95, /^sha512-[A-Za-z0-9+/]{86}==$/, 'an npm integrity, sha512-…')),
  lock: optional(object({ sha256: hex64 })),
  tree: optional(record(/^[a-z0-9]+-[a-z0-9]+$/, hex64, 32)),
  entry: optional(text(1, 1024)),
  fileSha256: optional(hex64),
  digest: optional(text(71, 71, /^sha256:[0-9a-f]{64}$/, 'an OCI digest, sha256:…')),
})

const remoteRef: Check<RemoteRef> = object({
  type: literal('streamable-http', 'sse'),
  url,
  headers: optional(objects),
  variables: optional(anyObject),
})

const permissions = list(
  object({
    scope: text(1, 256, /^[\x21\x23-\x5b\x5d-\x7e]+$/, 'an OAuth scope token'),
    reason: text(1, 1024),
    required: flag,
  }),
  0,
  64,
)

const toolItem = itemOf('tool')
const tool: Check<ManifestTool> = (value, where) => {
  const { permissions: given, ...item } = anyObject(value, where)
  return { ...toolItem(item, where), permissions: permissions(given ?? null, `${where}/permissions`) }
}

const SHAPE = object({
  format: literal(MANIFEST_FORMAT),
  registry: text(1, 128),
  server: parsed(parseServerName),
  version: parsed(parseVersion),
  role: literal('publisher', 'voucher'),
  subject: optional(
    object({
      server: optional(parsed(parseServerName)),
      packages: optional(
        list(object({ registryType, identifier, version: optional(packageVersion) }), 1, 32),
      ),
      remotes: optional(list(object({ url }), 1, 32)),
    }),
  ),
  title: optional(text(1, 100)),
  description: optional(text(1, 1000)),
  repository: optional(
    object({
      url,
      source: optional(text(1, 64)),
      id: optional(text(1, 256)),
      subfolder: optional(text(1, 256)),
    }),
  ),
  websiteUrl: optional(url),
  icons: optional(icons),
  packages: optional(list(packageRef, 1, 32)),
  remotes: optional(list(remoteRef, 1, 32)),
  launch: optional(
    object({
      command: text(1, 4096),
      args: list(text(0, 8192), 0, 256),
      env: optional(list(text(1, 256, /^[^=\s\p{Cc}]+$/u, 'the name of a variable'), 0, 256)),
    }),
  ),
  instructions: optional(itemOf('instructions')),
  prompts: optional(list(itemOf('prompt'), 0, MAX_ITEMS)),
  resourceTemplates: optional(list(itemOf('template'), 0, MAX_ITEMS)),
  resources: optional(
    object({ mode: literal('listed', 'dynamic'), items: optional(list(itemOf('resource'), 0, MAX_ITEMS)) }),
  ),
  tools: list(tool, 0, MAX_ITEMS),
  authorization: optional(object({ resource: url, issuers: list(url, 1, 16) })),
  expires: optional(parsed(parseTime)),
})

/**
 * Parses a manifest's payload strictly: size, JSON, shape, one spelling of each value, no unknown members (PROTOCOL 4).
 * @throws CountersignError `input-too-large`, a `json-…` code, or `manifest-invalid` naming the place
 */
export function parseManifest(payload: Uint8Array): Manifest {
  return checkManifest(parseStrictJson(payload, { maxBytes: MAX_MANIFEST_BYTES }))
}

/**
 * The same for a value that is parsed already.
 * @throws CountersignError `manifest-invalid`
 */
export function checkManifest(value: JsonValue): Manifest {
  return checkShape((v, where) => assertWhole(SHAPE(v, where)), value, 'manifest-invalid', 'manifest')
}

function assertWhole(manifest: Manifest): Manifest {
  if (!isRegistryIdentity(manifest.registry)) mismatch('/registry', 'is no registry identity')
  const { subject } = manifest
  if (manifest.role === 'publisher' && subject !== undefined)
    mismatch('/subject', 'only a voucher has a subject')
  if (manifest.role === 'voucher' && (subject === undefined || Object.keys(subject).length === 0)) {
    mismatch('/subject', 'a voucher says what it speaks of')
  }
  const seen = new Set<string>()
  for (const item of manifestItems(manifest)) {
    const key = `${item.kind} ${item.name}`
    if (seen.has(key)) mismatch(`/${item.kind}`, `${JSON.stringify(item.name)} stands twice`)
    seen.add(key)
    assertVariants(item.kind, item.item)
    if (manifest.packages === undefined && manifest.launch === undefined && manifest.remotes !== undefined) {
      assertRemoteSlots(item.item)
    }
  }
  return manifest
}

function assertVariants(kind: ItemKind, item: ManifestItem): void {
  const name = itemName(kind, item.definition)
  for (const variant of item.variants ?? []) {
    if (itemName(kind, variant.definition) !== name)
      mismatch(`/${kind}`, `a variant of ${name} has another name`)
  }
}

function assertRemoteSlots(item: ManifestItem): void {
  const slots = [item, ...(item.variants ?? [])].flatMap((form) => form.slots ?? [])
  const facts = slots.flatMap((slot) => slot.parts).filter((part) => typeof part !== 'string')
  if (!facts.every(isRemoteFact))
    mismatch('/slots', 'a remote server has only the facts enum, integer and date')
}

export interface NamedItem {
  readonly kind: ItemKind
  readonly name: string
  readonly item: ManifestItem
}

/** Every item of the manifest in order: instructions, tools, prompts, templates, resources. */
export function manifestItems(manifest: Manifest): NamedItem[] {
  const of = (kind: ItemKind, items: readonly ManifestItem[] = []): NamedItem[] =>
    items.map((item) => ({ kind, name: itemName(kind, item.definition), item }))
  return [
    ...of('instructions', manifest.instructions === undefined ? [] : [manifest.instructions]),
    ...of('tool', manifest.tools),
    ...of('prompt', manifest.prompts),
    ...of('template', manifest.resourceTemplates),
    ...of('resource', manifest.resources?.items),
  ]
}

/** The digests of an item: the base definition first, then its variants. */
export function itemDigests(kind: ItemKind, item: ManifestItem): Digest[] {
  return [item, ...(item.variants ?? [])].map((form) => itemDigest(kind, form.definition, form.slots))
}

/** The canonical payload of a manifest: JCS, UTF-8. What `signEnvelope` signs. */
export function formatManifest(manifest: Manifest): Uint8Array {
  return utf8Bytes(canonicalize(manifest))
}
