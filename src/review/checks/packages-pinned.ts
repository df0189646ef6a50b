import type { Manifest, PackageRef } from 'countersign/core'
import type { Check } from './check.js'

type Pinned = (ref: PackageRef) => boolean

const locked: Pinned = ({ lock, tree }) => lock !== undefined || Object.keys(tree ?? {}).length > 0

/** What binds a package of this type to its bytes. A version alone does not: registries have let it be replaced. */
const PINS: Readonly<Record<PackageRef['registryType'], Pinned>> = {
  npm: ({ version, integrity }) => version !== undefined && integrity !== undefined,
  oci: ({ digest }) => digest !== undefined,
  mcpb: ({ fileSha256 }) => fileSha256 !== undefined,
  pypi: (ref) => ref.version !== undefined && locked(ref),
  nuget: (ref) => ref.version !== undefined && locked(ref),
  cargo: (ref) => ref.version !== undefined && locked(ref),
}

/** Every package is bound to its bytes, and a voucher binds each package that it speaks of. */
export const packagesPinned: Check = ({ manifest }) => {
  const at = (manifest.packages ?? []).findIndex((ref) => !PINS[ref.registryType](ref))
  if (at >= 0) return `/packages/${at} is not bound to the bytes of one version`
  const loose = unboundSubject(manifest)
  return loose < 0 ? undefined : `/subject/packages/${loose} is spoken of without a package that is bound`
}

function unboundSubject({ packages = [], subject }: Manifest): number {
  return (subject?.packages ?? []).findIndex(
    (spoken) =>
      !packages.some(
        (ref) =>
          ref.registryType === spoken.registryType &&
          ref.identifier === spoken.identifier &&
          (spoken.version === undefined || ref.version === spoken.version),
      ),
  )
}
