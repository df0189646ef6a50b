import { showHidden } from './unicode.js'
import { pointerOf, type Path } from './walk.js'

export type Severity = 'info' | 'low' | 'medium' | 'high'

/**
 * What a rule saw in a manifest. `held` asks a person to look (and to say why when it is approved all the same),
 * `refuse` ends the submission. `pointer` is an RFC 6901 pointer into the manifest and carries the manifest's
 * characters as they are: print it through `showHidden`. `message` and `shown` are safe to print, and bounded.
 */
export interface Finding {
  readonly rule: string
  readonly severity: Severity
  readonly held: boolean
  readonly refuse: boolean
  readonly pointer: string
  readonly message: string
  readonly shown?: string
}

/** What the registry knows around the manifest; read before, handed in, so that the rules stay pure. */
export interface GateFacts {
  /** Names in use, each with the namespace that owns it. */
  readonly knownServers: readonly { readonly server: string; readonly namespace: string }[]
}

type Weight = Pick<Finding, 'severity' | 'held' | 'refuse'>

/** Worth reading. */
export const NOTE: Weight = { severity: 'low', held: false, refuse: false }
/** A person looks before it is approved. */
export const HOLD: Weight = { severity: 'medium', held: true, refuse: false }
/** A person looks, and expects malice. */
export const ALARM: Weight = { severity: 'high', held: true, refuse: false }
/** Nobody can approve it: what would be approved is not what a host would read. */
export const REFUSE: Weight = { severity: 'high', held: true, refuse: true }

/** A rule has one weight, so that what is cut off is never worse than what is shown. */
export interface Rule extends Weight {
  readonly rule: string
}

export function rule(name: string, weight: Weight): Rule {
  return { rule: name, ...weight }
}

/** Where a rule says what it saw. `shown` is asked for only when the finding is kept. */
export type Report = (rule: Rule, at: Path, message: string, shown?: () => string) => void

const MAX_PER_RULE = 40

/**
 * The first findings of each rule, and how many more there are: a manifest made to break a rule a million times
 * costs time in proportion, and no memory.
 */
export function collect(inspect: (report: Report) => void): Finding[] {
  const kept: Finding[] = []
  const counts = new Map<Rule, number>()
  inspect((rule, at, message, shown) => {
    const count = (counts.get(rule) ?? 0) + 1
    counts.set(rule, count)
    if (count > MAX_PER_RULE) return
    const base = { ...rule, pointer: pointerOf(at), message }
    kept.push(shown === undefined ? base : { ...base, shown: shown() })
  })
  for (const [rule, count] of counts) {
    if (count > MAX_PER_RULE)
      kept.push({ ...rule, pointer: '', message: `and ${count - MAX_PER_RULE} more of this kind` })
  }
  return kept
}

const MAX_EXCERPT = 160

/** A piece of text around `at`, on one line, hidden characters made visible. */
export function excerpt(text: string, at = 0): string {
  const from = wholeFrom(text, Math.max(0, at - MAX_EXCERPT / 4))
  const to = wholeFrom(text, Math.min(text.length, from + MAX_EXCERPT))
  const cut = showHidden(text.slice(from, to)).replaceAll(/[\n\t\r]/g, ' ')
  return `${from > 0 ? '…' : ''}${cut}${to < text.length ? '…' : ''}`
}

/** Never cut a character in two: half of one would be shown as something that is not there. */
function wholeFrom(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  return unit >= 0xdc00 && unit <= 0xdfff ? at + 1 : at
}
