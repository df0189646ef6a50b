import { compareVersions, parseVersion, type Manifest } from 'countersign/core'
import { captures, isPublishable, manifestOf, serverNameOf, type Capture } from '../corpus/servers.js'

/** Two versions of a real server that follow one another in the corpus. */
export interface Step {
  readonly package: string
  readonly from: string
  readonly to: string
  /** Only the last number of the version differs. */
  readonly isPatch: boolean
  readonly before: Manifest
  readonly after: Manifest
}

/** Every pair of consecutive versions; the newest of a package stands in `servers`. */
export function readSteps(history: string, servers: string): Step[] {
  const old = captures(history)
  const packages = new Set(old.map((capture) => capture.package))
  const all = [...old, ...captures(servers).filter((capture) => packages.has(capture.package))].filter(
    isPublishable,
  )
  return [...packages].sort().flatMap((name) => {
    const versions = all.filter((capture) => capture.package === name).sort(byVersion)
    return versions.slice(1).flatMap((capture, i) => stepOf(versions[i], capture))
  })
}

function byVersion(a: Capture, b: Capture): number {
  return compareVersions(parseVersion(a.version), parseVersion(b.version))
}

function stepOf(before: Capture | undefined, after: Capture): Step[] {
  if (before === undefined || before.version === after.version) return []
  const [a, b] = [parseVersion(before.version), parseVersion(after.version)]
  return [
    {
      package: after.package,
      from: before.version,
      to: after.version,
      isPatch: a.major === b.major && a.minor === b.minor,
      before: asManifest(before),
      after: asManifest(after),
    },
  ]
}

function asManifest(capture: Capture): Manifest {
  return manifestOf(serverNameOf(capture.package), capture.tools, capture)
}
