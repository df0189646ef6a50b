import { canonicalize, type Launch, type Manifest, type PackageRef } from '../core/index.js'
import type { Path } from '../gates/walk.js'
import { compareInputs } from './inputs.js'
import { isSameJson } from './json.js'
import { named, type Ledger } from './ledger.js'
import { placeAt } from './places.js'

/** The packages of one document and the version it speaks of. */
interface Side {
  readonly manifest: Manifest
  readonly packages: readonly PackageRef[]
}

/**
 * Packages: the same package in another version is other code, and nothing here says what it does: `text`, so that it
 * is recorded and nothing approves it unseen. Another registry, name or way to run it is dangerous.
 */
export function comparePackages(before: Manifest, after: Manifest, ledger: Ledger): void {
  const [a, b] = [sideOf(before), sideOf(after)]
  const left = a.packages.map((ref, at) => ({ ref, at, key: keyOf(ref, a) }))
  for (const [at, ref] of b.packages.entries()) {
    const key = keyOf(ref, b)
    const found = left.findIndex((old) => old.key === key)
    const [old] = found < 0 ? [] : left.splice(found, 1)
    if (old !== undefined) comparePackage(old.ref, ref, ['packages', at], ledger)
    else {
      const text = `the package ${named(ref.identifier)} is another one`
      ledger.note('package', 'dangerous', placeAt(true, ['packages', at]), () => ({ text, after: ref }))
    }
  }
  // With the last one goes what bound the bytes that run.
  const level = b.packages.length > 0 ? 'narrowed' : 'widened'
  for (const { ref, at } of left) {
    const text = `the package ${named(ref.identifier)} is gone`
    ledger.note('package', level, placeAt(false, ['packages', at]), () => ({ text, before: ref }))
  }
}

function sideOf(manifest: Manifest): Side {
  return { manifest, packages: manifest.packages ?? [] }
}

/** Who publishes it, under which name. The name of a bundle or an image carries its version. */
function keyOf(
  { registryType, registryBaseUrl, identifier, version }: PackageRef,
  { manifest }: Side,
): string {
  const name =
    registryType === 'oci'
      ? identifier.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/:[\w.-]{1,128}$/, '')
      : registryType === 'mcpb'
        ? withoutVersions(identifier, [manifest.version, version])
        : identifier
  return canonicalize([registryType, registryBaseUrl ?? '', name])
}

function withoutVersions(text: string, versions: readonly (string | undefined)[]): string {
  // A bare digit may stand in any name.
  return versions.reduce<string>(
    (rest, one) => (isVersion(one) && one.includes('.') ? rest.replaceAll(one, '{version}') : rest),
    text,
  )
}

/** What package runners read as a version and nothing else: no path, address or other name. */
function isVersion(text: string | undefined): text is string {
  return text !== undefined && /^v?\d[\w.+-]*$/.test(text)
}

/** What stands for one version: `1` and `1.x` are whatever is the newest on the day it runs. */
function isExact({ registryType, version = '' }: PackageRef): boolean {
  if (registryType === 'npm') return /^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/.test(version)
  return !/(?:^|\.)[x*](?:\.|$)/i.test(version)
}

/** What binds the manifest to the bytes of a package. */
const BINDINGS = ['integrity', 'lock', 'tree', 'fileSha256', 'digest', 'version', 'identifier'] as const
/** What decides which of its bytes run, and how. */
const RUNNING = ['runtimeHint', 'transport', 'runtimeArguments', 'packageArguments', 'entry'] as const

function comparePackage(a: PackageRef, b: PackageRef, path: Readonly<Path>, ledger: Ledger): void {
  for (const member of BINDINGS) {
    if (isSameJson(a[member], b[member])) continue
    const isGone = b[member] === undefined
    const words = {
      text: `${member} of the package is ${isGone ? 'gone' : 'another'}`,
      before: a[member],
      after: b[member],
    }
    // Without it, what runs may be anything; `npm:other@1.0.0` in its place is another package.
    const isOther = member === 'version' && !isGone && !isVersion(b.version)
    const isLoose = isGone || (member === 'version' && !isExact(b))
    const place = placeAt(true, isGone ? path : [...path, member])
    if (isOther) ledger.note('package', 'dangerous', place, () => words)
    else ledger.note('artifact', isLoose ? 'widened' : 'text', place, () => words)
  }
  for (const member of RUNNING) {
    if (isSameJson(a[member], b[member])) continue
    const words = { text: `${member} of the package is another`, before: a[member], after: b[member] }
    ledger.note(
      'launch',
      'dangerous',
      placeAt(true, b[member] === undefined ? path : [...path, member]),
      () => words,
    )
  }
  const [old, now] = [a.environmentVariables ?? [], b.environmentVariables ?? []]
  compareInputs('variable', old, now, [...path, 'environmentVariables'], ledger)
}

/** What is launched. The same package in the version that the manifest names is the same launch. */
export function compareLaunch(before: Manifest, after: Manifest, { note }: Ledger): void {
  const [a, b] = [before.launch, after.launch]
  const place = placeAt(b !== undefined, ['launch'])
  if (a === undefined || b === undefined) {
    if (b !== undefined)
      note('launch', 'dangerous', place, () => ({ text: 'something is launched', after: b }))
    if (a !== undefined) {
      note('launch', 'widened', place, () => ({ text: 'anything may be launched', before: a }))
    }
    return
  }
  if (plainLaunch(a, before) !== plainLaunch(b, after)) {
    const words = {
      text: 'what is launched is something else',
      before: [a.command, ...a.args],
      after: [b.command, ...b.args],
    }
    note('launch', 'dangerous', place, () => words)
  } else if (!isSameJson([a.command, a.args], [b.command, b.args])) {
    note('artifact', 'text', place, () => ({
      text: 'another version of the package is launched',
      before: a.args,
      after: b.args,
    }))
  }
  compareNames(a.env ?? [], b.env ?? [], { note })
}

/** Command and arguments, versions of the manifest's own packages taken out where they stand behind their names. */
function plainLaunch({ command, args }: Launch, { packages = [] }: Manifest): string {
  const plain = args.map((arg) => {
    for (const { identifier, version } of packages) {
      for (const mark of isVersion(version) ? ['@', '==', ':'] : []) {
        if (arg.endsWith(`${identifier}${mark}${version ?? ''}`)) return arg.slice(0, -(version ?? '').length)
      }
    }
    return arg
  })
  return canonicalize([command, plain])
}

function compareNames(
  before: readonly string[],
  after: readonly string[],
  { note }: Pick<Ledger, 'note'>,
): void {
  for (const [at, name] of after.entries()) {
    if (before.includes(name)) continue
    const text = `the variable ${named(name)} is handed over`
    note('environment', 'widened', placeAt(true, ['launch', 'env', at]), () => ({ text, after: name }))
  }
  for (const [at, name] of before.entries()) {
    if (after.includes(name)) continue
    const text = `the variable ${named(name)} is not handed over any more`
    note('environment', 'narrowed', placeAt(false, ['launch', 'env', at]), () => ({ text, before: name }))
  }
}
