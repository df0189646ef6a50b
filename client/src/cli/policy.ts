import {
  CountersignError,
  formatNote,
  formatPolicyText,
  isJsonObject,
  isPolicyNote,
  noteSigner,
  openPolicyNote,
  parseNote,
  parsePolicyNote,
  parseStrictJson,
  parseText,
  policyVerifiers,
  refuse,
  toHex,
  type PolicyNote,
  type TrustRoot,
} from '../core/index.js'
import { CHANGE_CLASSES, type ChangeClass, type Reaction } from '../change.js'
import { reactionTo } from '../consent/reaction.js'
import { checkHostPolicy, MAX_POLICY_BYTES, parseHostPolicy, type HostPolicy } from '../host-policy.js'
import type { Context, Input } from './context.js'
import { readInput, writeOutput } from './files.js'
import { registryOfHost } from './host.js'
import { openNoteKey, type KeyOptions } from './keys/keys.js'
import { bold, green, pairs, red, yellow, type Line } from './output.js'
import { openMemory, openPinned } from './pinned.js'
import { openReadApi } from './reading.js'

interface SignOptions extends KeyOptions {
  readonly setVersion?: string
  readonly out: string
}

/** `countersign policy sign`: offline, for the hosts of the registry that is pinned here. */
export async function signPolicy(context: Context, { args, options }: Input<SignOptions>): Promise<void> {
  const root = await openPinned(context)
  const draft = readDraft(args[0] ?? '-', root, options.setVersion)
  const signer = await openNoteKey(context, options)
  const verifiers = policyVerifiers(root)
  const key = verifiers.keys.find((one) => toHex(one.publicKey) === toHex(signer.publicKey))
  if (key === undefined)
    refuse(
      'usage',
      'the trust root does not let this key sign policies: --key names one of those that it names',
      {
        registry: root.identity,
        keys: verifiers.keys.map(({ name }) => name),
      },
    )
  const line = noteSigner(key.name, signer).sign(draft.text)
  const note = formatNote(draft.text, [...new Set([...draft.lines, line])])
  const signatures = parseNote(note).signatures.length
  const isWhole = isOpen(note, root)
  if (options.out !== '-') writeOutput(options.out, note)
  const document = {
    registry: root.identity,
    version: draft.version,
    signatures,
    threshold: verifiers.threshold,
  }
  if (options.out === '-' && !context.out.json) {
    context.out.bytes(note)
    return
  }
  context.out.result({ ...document, whole: isWhole, ...(options.out === '-' && { note }) }, [
    [green('signed'), ` version ${draft.version} for the hosts of ${root.identity}`],
    isWhole
      ? `${options.out} has all the signatures it needs: name it in COUNTERSIGN_HOST_POLICY_FILE`
      : `${options.out} needs ${verifiers.threshold} signatures, of which it has ${signatures}`,
  ])
}

interface PolicyDraft {
  readonly version: number
  readonly text: string
  readonly lines: readonly string[]
}

/** A document that is signed for the first time, or a note that others signed before. */
function readDraft(path: string, root: TrustRoot, wanted: string | undefined): PolicyDraft {
  const text = parseText(readInput(path, MAX_POLICY_BYTES), MAX_POLICY_BYTES)
  if (!isPolicyNote(text)) return draftOf(text, root, readVersion(wanted))
  if (wanted !== undefined) refuse('usage', 'a signed policy has its version: leave out --set-version')
  const note = parsePolicyNote(text)
  if (note.identity !== root.identity) {
    const detail = { expected: root.identity, found: note.identity }
    refuse('registry-mismatch', 'this policy is for the hosts of another registry', detail)
  }
  checkHostPolicy(note.body)
  return { version: note.version, text: note.text, lines: parseNote(text).signatures.map(({ line }) => line) }
}

function draftOf(text: string, root: TrustRoot, version: number): PolicyDraft {
  parseHostPolicy(text)
  const body = parseStrictJson(text, { maxBytes: MAX_POLICY_BYTES })
  if (!isJsonObject(body)) return refuse('policy-malformed', 'this is no host policy')
  return { version, text: formatPolicyText(root.identity, version, body), lines: [] }
}

function readVersion(text: string | undefined): number {
  if (text === undefined || !/^[1-9][0-9]{0,9}$/.test(text))
    refuse('usage', 'give the policy a version, higher than the one before: --set-version NUMBER')
  return Number(text)
}

function isOpen(note: string, root: TrustRoot): boolean {
  try {
    openPolicyNote(note, root)
    return true
  } catch (error) {
    // A signature that does not verify is no signature that is missing.
    if (error instanceof CountersignError && error.detail['threshold'] !== undefined) return false
    throw error
  }
}

// ------------------------------------------------------------------------------------------------------- show

/** `countersign policy show`: of a file, or of the registry and of this host. */
export async function showPolicy(context: Context, { args }: Input): Promise<void> {
  const [file] = args
  if (file !== undefined) {
    showText(context, parseText(readInput(file, MAX_POLICY_BYTES), MAX_POLICY_BYTES), {})
    return
  }
  const root = await openPinned(context)
  const api = openReadApi(context, await registryOfHost(context))
  const served = await api.fetchHostPolicy?.()
  const kept = (await openMemory(context).readWorld(root.identity))?.hostPolicy
  const remembered = kept === undefined ? undefined : parsePolicyNote(kept).version
  if (served === undefined) {
    context.out.result({ served: false, ...(remembered !== undefined && { remembered }) }, [
      [yellow('none'), ` is served by ${root.identity}`],
      ...(remembered === undefined ? [] : [`version ${remembered} is remembered here`]),
    ])
    return
  }
  showText(context, served, { root, ...(remembered !== undefined && { remembered }) })
}

interface About {
  /** Of a served policy: who may have signed it. */
  readonly root?: TrustRoot
  readonly remembered?: number
}

function showText(context: Context, text: string, { root, remembered }: About): void {
  const note = isPolicyNote(text) ? parsePolicyNote(text) : undefined
  const policy = note === undefined ? parseHostPolicy(text) : checkHostPolicy(note.body)
  const signed = root === undefined || note === undefined ? undefined : verdictOf(note, root)
  const document = {
    policy: { ...DEFAULTS, ...policy, consent: reactionsOf(policy) },
    ...(note !== undefined && { registry: note.identity, version: note.version }),
    ...(root !== undefined && { served: true, signed: signed === 'verified' }),
    ...(signed !== undefined && { verdict: signed }),
    ...(remembered !== undefined && { remembered }),
  }
  context.out.result(document, [
    ...(note === undefined
      ? [[yellow('not signed'), root === undefined ? '' : ': hosts do not apply it'] as Line]
      : [[bold(`version ${note.version}`), ` for the hosts of ${note.identity}`] as Line]),
    ...(signed === undefined ? [] : [signedLine(signed)]),
    ...pairs(membersOf(document.policy)),
    ...(remembered === undefined ? [] : [`version ${remembered} is remembered here`]),
  ])
}

function verdictOf(note: PolicyNote, root: TrustRoot): string {
  try {
    openPolicyNote(note.note, root)
    return 'verified'
  } catch (error) {
    if (error instanceof CountersignError) return error.code
    throw error
  }
}

function signedLine(verdict: string): Line {
  return verdict === 'verified'
    ? [green('signed'), ' by who may: hosts that go by it apply it']
    : [red(verdict), ': hosts do not apply it']
}

/** What a host does where a policy does not say. How old the registry's word may be is in its trust root. */
const DEFAULTS = {
  scopes: 'report',
  arguments: 'report',
  results: 'report',
  uniqueToolNames: false,
  dynamicResources: 'pass',
  refusals: 'hide',
} as const satisfies Partial<HostPolicy>

function reactionsOf(policy: HostPolicy): Record<ChangeClass, Reaction> {
  const reactions = CHANGE_CLASSES.map((one) => [one, reactionTo(one, policy)] as const)
  return Object.fromEntries(reactions) as Record<ChangeClass, Reaction>
}

function membersOf(policy: HostPolicy): [string, string][] {
  const seconds = ['refreshSeconds', 'maxSeconds', 'offlineMaxSeconds'] as const
  const left = seconds.filter((name) => policy[name] === undefined)
  return [
    ...Object.entries(policy).map(([name, value]): [string, string] => [
      name,
      typeof value === 'object' ? JSON.stringify(value) : String(value),
    ]),
    ...left.map((name): [string, string] => [name, 'as the trust root says']),
  ]
}
