import {
  openNote,
  parseVerifierKey,
  toHex,
  type KeyThreshold,
  type TrustRoot,
  type VerifierKey,
} from 'countersign/core'
import { spelled } from '../terminal.js'
import { formatDraft, type RootDraft } from './files.js'

/** What a version of the trust root says differently from the one before it, a line each. */
export function describeChanges(before: TrustRoot, after: TrustRoot): string[] {
  return [
    ...replaced('expires', before.expires, after.expires),
    ...freshness(before, after),
    ...logs(before, after),
    ...replaced('timestamper', before.timestamper, after.timestamper),
    ...members('root key', before.rootKeys, after.rootKeys),
    ...replaced('root signatures needed', before.threshold, after.threshold),
    ...people('authorities', before.authorities, after.authorities),
    ...people('approvers', before.approvers, after.approvers),
    ...members('policy', policyLines(before), policyLines(after)),
  ]
}

/** All that a first version says. */
export function describeRoot(root: TrustRoot): string[] {
  const { expires, freshness: limits, logs: named, timestamper, rootKeys, threshold } = root
  return [
    `expires ${expires}`,
    `fresh for ${limits.maxSeconds} s, asked every ${limits.refreshSeconds} s, offline ${limits.offlineMaxSeconds} s`,
    ...named.map((log) => `log ${logLine(log)}`),
    `timestamper ${spelled(timestamper)}`,
    ...rootKeys.map((key) => `root key ${spelled(key)}`),
    `root signatures needed ${threshold}`,
    ...people('authorities', undefined, root.authorities),
    ...people('approvers', undefined, root.approvers),
    ...policyLines(root).map((line) => `policy ${spelled(line)}`),
  ]
}

function replaced(what: string, before: string | number, after: string | number): string[] {
  return before === after ? [] : [`${what}: ${spelled(String(before))} -> ${spelled(String(after))}`]
}

function members(what: string, before: readonly string[], after: readonly string[]): string[] {
  return [
    ...before.filter((one) => !after.includes(one)).map((one) => `- ${what} ${spelled(one)}`),
    ...after.filter((one) => !before.includes(one)).map((one) => `+ ${what} ${spelled(one)}`),
  ]
}

function freshness({ freshness: before }: TrustRoot, { freshness: after }: TrustRoot): string[] {
  return (['refreshSeconds', 'maxSeconds', 'offlineMaxSeconds'] as const).flatMap((name) =>
    replaced(name, before[name], after[name]),
  )
}

function logs(before: TrustRoot, after: TrustRoot): string[] {
  return members('log', before.logs.map(logLine), after.logs.map(logLine))
}

function logLine(log: TrustRoot['logs'][number]): string {
  const end = log.status === 'frozen' ? ` at ${log.final.size} entries, root ${log.final.root}` : ''
  return `${spelled(log.vkey)} ${log.status}${end}`
}

function people(what: string, before?: KeyThreshold, after?: KeyThreshold): string[] {
  return [
    ...members(`key of ${what}`, before?.keys ?? [], after?.keys ?? []),
    ...replaced(`${what} needed`, before?.threshold ?? 'none', after?.threshold ?? 'none'),
  ]
}

function policyLines({ policy }: TrustRoot): string[] {
  return policy.split('\n').filter((line) => line !== '')
}

/** Who has signed a draft validly, of the keys that this version and the one before it name. */
export function signaturesOf(draft: RootDraft, previous?: TrustRoot): SignatureCount[] {
  const sides = [
    ...(previous === undefined ? [] : [{ of: `version ${previous.version}`, root: previous }]),
    { of: 'its own keys', root: draft.root },
  ]
  return sides.map(({ of, root }) => {
    const signed = root.rootVerifiers.filter((key) => hasSigned(draft, key))
    return { of, needed: root.threshold, signed: signed.map(({ name }) => name) }
  })
}

export interface SignatureCount {
  readonly of: string
  readonly needed: number
  readonly signed: readonly string[]
}

export function describeSignatures(counts: readonly SignatureCount[]): string[] {
  return counts.map(
    ({ of, needed, signed }) =>
      `signed by ${signed.length} of ${needed} of ${of}${signed.length > 0 ? `: ${signed.map(spelled).join(', ')}` : ''}`,
  )
}

export function isSigned(counts: readonly SignatureCount[]): boolean {
  return counts.every(({ needed, signed }) => signed.length >= needed)
}

function hasSigned({ text, lines }: RootDraft, key: VerifierKey): boolean {
  // One at a time: a line that does not verify makes the whole note worthless to a host, and is named here.
  return lines.some((line) => {
    try {
      return openNote(formatDraft(text, [line]), [key]).verified.length === 1
    } catch {
      return false
    }
  })
}

/** The same key, under whatever name. */
export function isKey(vkey: string, publicKey: Uint8Array): boolean {
  return toHex(parseVerifierKey(vkey).publicKey) === toHex(publicKey)
}
