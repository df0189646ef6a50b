import { encodeBase64, parseDecimal } from '../../core/index.js'
import { openTrust } from '../../trust.js'
import { registryUrl, type Context, type Input } from '../context.js'
import { Refused } from '../failures.js'
import { writeOutput } from '../files.js'
import { green, pairs } from '../output.js'
import { readPinned, readRemembered } from '../pinned.js'
import { asUsage } from '../reference.js'
import { auditLog, type Audit } from './audit.js'
import type { Alert, Lie } from './lie.js'
import { lieLines } from './report.js'
import { openSource } from './source.js'
import { watchNamespaces } from './watch.js'
import { openReading } from '../reading.js'

interface Options {
  readonly evidence?: string
  readonly from?: string
}

/** `countersign log verify`: everything that is shown and served of the log, and what this host remembers. */
export async function verifyLog(context: Context, { options }: Input<Options>): Promise<void> {
  const registry = registryUrl(context)
  const { trust } = await readPinned({ ...context, registry })
  const { from } = options
  const lies: Lie[] = []
  const alerts: Alert[] = []
  const audit = await auditLog({
    source: openSource(registry, context.signal, openReading(context, registry)),
    pinned: {
      root: openTrust(trust),
      ...(trust.fingerprint !== undefined && { fingerprint: trust.fingerprint }),
    },
    findings: { lie: (lie) => lies.push(lie), alert: (alert) => alerts.push(alert), event: () => undefined },
    signal: context.signal,
    remembered: await readRemembered(context),
    from: from === undefined ? undefined : asUsage(() => parseDecimal(from)),
    tiles: 'all',
    watch: watchNamespaces([]),
    now: Date.now(),
    onProgress: (position, end) => context.out.progress(`entry ${position} of ${end}`),
  })
  finish(context, audit, { lies, alerts }, options.evidence)
}

function finish(
  { out }: Context,
  audit: Audit,
  found: { readonly lies: readonly Lie[]; readonly alerts: readonly Alert[] },
  evidence: string | undefined,
): void {
  const { lies } = found
  const { origin, size, checkpoint, entries, events, namespaces, manifests, revocations } = audit
  const root = encodeBase64(audit.root)
  const summary = {
    entries,
    events,
    namespaces,
    manifests,
    revocations,
    origin,
    size,
    root,
    checkpoint,
    ...found,
  }
  if (lies.length > 0 && evidence !== undefined) {
    writeOutput(evidence, `${JSON.stringify(summary, undefined, 2)}\n`)
  }
  const kinds = Object.entries(events).map(([t, count]) => `${t} ${count}`)
  out.result({ ok: lies.length === 0, ...summary }, [
    ...pairs([
      ['log', origin],
      ['entries', String(entries)],
      ['root', root],
      ['events', kinds.join(', ')],
      ['revocations', String(revocations)],
    ]),
    ...(lies.length === 0
      ? [[green('consistent'), ' every entry is what it claims to be']]
      : lies.flatMap(lieLines)),
  ])
  if (lies.length > 0) throw new Refused('the log lies')
}
