import { createHash } from 'node:crypto'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { parseVersion, type Launch, type PackageRef } from '../core/index.js'

/** Which package a command line runs, and how sure that is. */
export interface FoundPackage {
  readonly ref: PackageRef
  /** The runner's part of the command line, without what the user adds behind it. */
  readonly launch?: Launch
  /** What is not known, in words for the person who captures. */
  readonly notes: readonly string[]
}

interface RunnerCall {
  readonly registryType: 'npm' | 'pypi'
  readonly spec: string
  /** How many words of the command line belong to the runner, the spec included. */
  readonly words: number
}

const NPM_RUNNERS = new Map([
  ['npx', 0],
  ['bunx', 0],
  ['pnpx', 0],
  ['npm exec', 1],
  ['npm x', 1],
  ['pnpm dlx', 1],
  ['yarn dlx', 1],
  ['bun x', 1],
])
const PYPI_RUNNERS = new Map([
  ['uvx', 0],
  ['pipx run', 1],
])
const NPM_NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/i

/**
 * Finds the package behind a command line: a package runner's argument (`npx -y NAME@V`), or the package a started
 * file belongs to. Undefined when there is none to be found; nothing is fetched.
 */
export function findPackage(
  command: string,
  args: readonly string[],
  cwd = process.cwd(),
): FoundPackage | undefined {
  const call = readRunner(command, args)
  if (call !== undefined) return fromRunner(call, command, args, cwd)
  const entry = entryFile(command, args, cwd)
  return entry === undefined ? undefined : fromInstalled(entry)
}

function readRunner(command: string, args: readonly string[]): RunnerCall | undefined {
  const program = basename(command).replace(/\.(?:cmd|exe|ps1)$/i, '')
  for (const [runners, registryType] of [
    [NPM_RUNNERS, 'npm'],
    [PYPI_RUNNERS, 'pypi'],
  ] as const) {
    const name = runners.has(program) ? program : `${program} ${args[0] ?? ''}`
    const skip = runners.get(name)
    if (skip === undefined) continue
    const at = specIndex(args, skip)
    const spec = args[at]
    return spec === undefined
      ? undefined
      : { registryType, spec: spec.replace(/^--package=/, ''), words: at + 1 }
  }
  return undefined
}

/** The first word that is no option of the runner; `-p SPEC` and `--package SPEC` name the package before the program. */
function specIndex(args: readonly string[], from: number): number {
  for (let i = from; i < args.length; i++) {
    const word = args[i] ?? ''
    if (word === '-p' || word === '--package' || word === '--from') return i + 1
    if (word.startsWith('--package=')) return i
    if (!word.startsWith('-')) return i
  }
  return args.length
}

function fromRunner(
  call: RunnerCall,
  command: string,
  args: readonly string[],
  cwd: string,
): FoundPackage | undefined {
  const { identifier, version } = splitSpec(call.spec)
  if (!NPM_NAME.test(identifier)) return undefined
  const launch = { command: basename(command), args: args.slice(0, call.words) }
  if (version === undefined || !isExact(version)) {
    const notes = [`"${call.spec}" names no exact version: hosts cannot find this manifest by its package`]
    return { ref: { registryType: call.registryType, identifier }, launch, notes }
  }
  const integrity =
    call.registryType === 'npm' ? npmIntegrity(call.spec, identifier, version, cwd) : undefined
  const ref: PackageRef = {
    registryType: call.registryType,
    identifier,
    version,
    ...(integrity !== undefined && { integrity }),
  }
  return { ref, launch, notes: integrityNotes(ref) }
}

function integrityNotes(ref: PackageRef): string[] {
  if (ref.integrity !== undefined || ref.registryType !== 'npm') return []
  return [
    `the integrity of ${ref.identifier} is not in npm's local records: the manifest binds its version only`,
  ]
}

function splitSpec(spec: string): { identifier: string; version?: string } {
  const match = /^(@?[^@=]+)(?:@|==)(.+)$/.exec(spec)
  return match?.[1] === undefined || match[2] === undefined
    ? { identifier: spec }
    : { identifier: match[1], version: match[2] }
}

function isExact(version: string): boolean {
  try {
    parseVersion(version)
    return true
  } catch {
    return false
  }
}

/** What npm wrote down when it installed exactly this version: next to the project, or in npx's own cache. */
function npmIntegrity(spec: string, identifier: string, version: string, cwd: string): string | undefined {
  const hash = createHash('sha512').update(spec).digest('hex').slice(0, 16)
  const folders = [...parents(cwd), join(npmCache(), '_npx', hash)]
  for (const folder of folders) {
    const integrity = lockedIntegrity(join(folder, 'node_modules'), identifier, version)
    if (integrity !== undefined) return integrity
  }
  return undefined
}

function npmCache(): string {
  const set = process.env['npm_config_cache'] ?? process.env['NPM_CONFIG_CACHE']
  if (set !== undefined && set !== '') return set
  const local = process.env['LOCALAPPDATA']
  return process.platform === 'win32' && local !== undefined
    ? join(local, 'npm-cache')
    : join(homedir(), '.npm')
}

function parents(folder: string): string[] {
  const all = [folder]
  for (let up = dirname(folder); up !== all.at(-1); up = dirname(up)) all.push(up)
  return all
}

function lockedIntegrity(nodeModules: string, identifier: string, version: string): string | undefined {
  const lock = readJson(join(nodeModules, '.package-lock.json'))
  const entry = member(member(lock, 'packages'), `node_modules/${identifier}`)
  const integrity = member(entry, 'integrity')
  if (member(entry, 'version') !== version || typeof integrity !== 'string') return undefined
  return /^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity) ? integrity : undefined
}

/** The script that node runs, or a program inside node_modules. */
function entryFile(command: string, args: readonly string[], cwd: string): string | undefined {
  const isNode = /^(?:node|bun|tsx)(?:\.exe)?$/.test(basename(command))
  const word = isNode ? args.find((arg) => !arg.startsWith('-')) : command
  if (word === undefined || (!isNode && !/[\\/]/.test(word))) return undefined
  const file = isAbsolute(word) ? word : resolve(cwd, word)
  return existsSync(file) ? realpathSync(file) : undefined
}

function fromInstalled(entry: string): FoundPackage | undefined {
  const folder = `${sep}node_modules${sep}`
  const at = entry.lastIndexOf(folder)
  if (at < 0) return undefined
  const nodeModules = entry.slice(0, at + folder.length - 1)
  const words = entry.slice(nodeModules.length + 1).split(/[\\/]/)
  const identifier = words[0]?.startsWith('@') === true ? `${words[0]}/${words[1] ?? ''}` : (words[0] ?? '')
  const version = member(readJson(join(nodeModules, identifier, 'package.json')), 'version')
  if (!NPM_NAME.test(identifier) || typeof version !== 'string' || !isExact(version)) return undefined
  const integrity = lockedIntegrity(nodeModules, identifier, version)
  const ref: PackageRef = {
    registryType: 'npm',
    identifier,
    version,
    ...(integrity !== undefined && { integrity }),
  }
  return { ref, notes: integrityNotes(ref) }
}

/** npm's own files, read for a hint; an unreadable one is no hint. */
function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
}
