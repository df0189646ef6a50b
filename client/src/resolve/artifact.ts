import type { Manifest, PackageRef } from '../core/index.js'

/** What a host was told to start or reach, as far as it says what server that is. */
export interface Artifact {
  /** `npm:NAME` or `npm:NAME@VERSION`, also of the other package registries. */
  readonly package?: string | undefined
  readonly url?: string | undefined
}

/** `npm:@scope/name@1.4.0` taken apart. */
export interface PackageSpec {
  readonly registryType: string
  readonly identifier: string
  readonly version?: string
}

/** Undefined when the text is not of this form. A leading `@` belongs to the name. */
export function parsePackageSpec(text: string): PackageSpec | undefined {
  const match = /^([a-z]+):([^\s]+?)(?:@([^@\s/]+))?$/.exec(text)
  const [, registryType, identifier, version] = match ?? []
  if (registryType === undefined || identifier === undefined || text.length > 1024) return undefined
  return { registryType, identifier, ...(version !== undefined && { version }) }
}

/** The same package in any version. */
export function formatPackageName(spec: PackageSpec): string {
  return `${spec.registryType}:${spec.identifier}`
}

/** Whether a manifest says at all which packages, or which addresses, it is about, where the artifact is such a thing. */
export function namesArtifacts(manifest: Manifest, artifact: Artifact): boolean {
  const about = manifest.role === 'voucher' ? manifest.subject : manifest
  const hasPackages = artifact.package !== undefined && about?.packages !== undefined
  return hasPackages || (artifact.url !== undefined && about?.remotes !== undefined)
}

type Named = Pick<PackageRef, 'registryType' | 'identifier' | 'version'>

/**
 * Whether a verified manifest itself says that it is about this package or URL: a look-up is only the registry's hint.
 * A voucher's subject says what it speaks of (PROTOCOL 4).
 */
export function speaksFor(manifest: Manifest, artifact: Artifact): boolean {
  const about = manifest.role === 'voucher' ? manifest.subject : manifest
  const spec = artifact.package === undefined ? undefined : parsePackageSpec(artifact.package)
  const packages: readonly Named[] = about?.packages ?? []
  if (spec !== undefined && packages.some((ref) => isSamePackage(ref, spec))) return true
  return artifact.url !== undefined && (about?.remotes ?? []).some((remote) => remote.url === artifact.url)
}

function isSamePackage(ref: Named, spec: PackageSpec): boolean {
  if (ref.registryType !== spec.registryType || ref.identifier !== spec.identifier) return false
  return spec.version === undefined || ref.version === undefined || ref.version === spec.version
}
