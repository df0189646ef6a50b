import { encodeBase64, eventSignatureKid, type LogEvent } from '../../core/index.js'
import { safeJson } from '../escape.js'
import { documentOf } from '../failures.js'
import { bold, dim, green, red, yellow, type Line, type Output, type Styled } from '../output.js'
import type { Audit } from './audit.js'
import type { Alert, Lie } from './lie.js'
import type { WatchedEvent } from './watch.js'

/** What a monitor prints: for people a line or two each, with `--json` one object a line. */
export interface Report {
  lie(lie: Lie, file?: string): void
  alert(alert: Alert, file?: string): void
  event(event: WatchedEvent): void
  /** Why the command failed. */
  error(error: unknown): void
  /** What was verified of this run, and how much was told. */
  end(audit: Audit, told: Told): void
}

export interface Told {
  readonly events: number
  readonly alerts: number
  readonly lies: number
}

export function openReport(out: Output): Report {
  const print = (document: object, lines: readonly Line[]): void => {
    if (out.json) out.bytes(`${jsonLine(document)}\n`)
    else out.result(undefined, lines)
  }
  return {
    lie(lie, evidence) {
      const { index, code, said, leaf } = lie
      print({ type: 'lie', index, code, said, leaf, ...(evidence !== undefined && { evidence }) }, [
        ...lieLines(lie),
        ...(evidence === undefined ? [] : [[dim('    kept in '), evidence]]),
      ])
    },
    alert({ code, said, index }, evidence) {
      const place: (string | Styled)[] = index === undefined ? [] : [bold(` at ${index}`)]
      print(
        { type: 'alert', code, said, ...(index !== undefined && { index }), ...(evidence && { evidence }) },
        [
          [yellow('alert'), ...place, ` ${said} `, dim(`(${code})`)],
          ...(evidence === undefined ? [] : [[dim('    kept in '), evidence]]),
        ],
      )
    },
    event({ index, namespace, event }) {
      const { t } = event
      print({ type: 'event', index, namespace, t, event }, [
        [yellow('event'), bold(` ${index}`), ` ${t} `, describeEvent(event)],
      ])
    },
    error(error) {
      print({ type: 'error', error: documentOf(error) }, [])
    },
    end(audit, told) {
      for (const [document, lines] of endOf(audit, told)) print(document, lines)
    },
  }
}

function endOf(audit: Audit, told: Told): [object, Line[]][] {
  const { origin, size, root, checkpoint: note, attested, began, progress } = audit
  const { entries, namespaces, manifests, revocations } = audit
  const counts = { namespaces, manifests, revocations }
  const ok = told.lies === 0
  const shown = { type: 'checkpoint', origin, size, root: encodeBase64(root), note, ...attested }
  const summary = {
    type: 'summary',
    ok,
    verified: progress !== undefined,
    from: began,
    entries,
    ...counts,
    told,
  }
  return [
    [shown, [[dim('log '), origin, dim(` size ${size} root `), encodeBase64(root)]]],
    [summary, [summaryLine(entries, began, ok, told)]],
  ]
}

function summaryLine(entries: number, began: number, ok: boolean, { events, alerts, lies }: Told): Line {
  const read = `${Math.max(0, entries - began)} new of ${entries} entries`
  if (!ok) return [red('the log lies'), `: ${lies} found, ${read}`]
  const found = events + alerts === 0 ? 'nothing to tell' : `${events} events, ${alerts} alerts`
  return [green('consistent'), `: ${read}, ${found}`]
}

/** One object on one line. Line feeds stand between members only: within a text they are escaped. */
function jsonLine(document: object): string {
  return safeJson(document).replaceAll(/\n */g, '')
}

export function lieLines({ index, code, said, leaf }: Lie): Line[] {
  const first: Line = [red('lie'), bold(` at ${index}`), ` ${said} `, dim(`(${code})`)]
  return leaf === '' ? [first] : [first, [dim('    │ '), leaf.slice(0, 400)]]
}

/** What an event says, in the fewest words. */
export function describeEvent(event: LogEvent): string {
  switch (event.t) {
    case 'namespace':
      return `${event.namespace} by ${event.proof}, account ${event.account}, key ${event.kid}`
    case 'key.add':
      return `${event.namespace} ${event.role} key ${event.kid}, endorsed by ${signerOf(event)}`
    case 'key.revoke':
      return `${event.namespace} key ${event.kid} (${event.reason}), ended by ${signerOf(event)}`
    case 'publish':
      return `${event.server} ${event.version} by key ${event.kid}, manifest ${event.manifest}`
    case 'approve':
      return `${event.server} ${event.version} by ${event.deciders.join(', ')}, manifest ${event.manifest}`
    case 'reject':
    case 'withdraw':
    case 'deprecate':
    case 'revoke':
    case 'reinstate':
      return `${event.target} ${event.name ?? event.digest ?? ''} by ${event.deciders.join(', ')}: ${event.reason}`
    case 'root':
      return `version ${event.version}`
    case 'continue':
      return `${event.origin} at ${event.size}`
    case 'snapshot':
      return `${event.count} revocations`
  }
}

/** The kid a signature names; the replay says whether it holds. */
function signerOf(event: Extract<LogEvent, { t: 'key.add' | 'key.revoke' }>): string {
  const [header = ''] = (event.sig ?? '').split('.')
  if (header === '') return 'the authorities'
  try {
    return `key ${eventSignatureKid(event, event.sig ?? '')}`
  } catch {
    return 'what is no signature'
  }
}
