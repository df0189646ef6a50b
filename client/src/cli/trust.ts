import type { Input } from './context.js'
import { isDigest, refuse, rootFingerprint, type TrustRoot } from '../core/index.js'
import { pinTrust } from '../trust.js'
import { listTrust, openRegistryApi, writeTrust } from '../node/index.js'
import { normalUrl, writeSettings, type Context } from './context.js'
import { bold, dim, green, pairs, yellow, type Line } from './output.js'
import { openPinned, readPinned } from './pinned.js'
import { SPLIT_VIEW } from './witnesses.js'

/** `countersign trust add`: the fingerprint is compared, or shown to be compared. */
export async function addTrust(
  context: Context,
  { args, options }: Input<{ fingerprint?: string }>,
): Promise<void> {
  const registry = normalUrl(args[0] ?? '')
  const { fingerprint: wanted } = options
  if (wanted !== undefined && !isDigest(wanted))
    refuse('usage', 'a fingerprint reads sha256: and 64 hex digits')
  const pinned = await pinTrust(openRegistryApi(registry), {
    registry,
    ...(wanted !== undefined && { fingerprint: wanted }),
  })
  if (wanted === undefined) await assertNothingReplaced(context, registry, pinned)
  await writeTrust(pinned.trust, context.home)
  writeSettings(context, { registry })
  const { root, fingerprint } = pinned
  const firstUse = wanted === undefined
  context.out.result({ ...documentOf(root), registry, fingerprint, firstUse }, [
    [green('pinned'), ` ${root.identity}`],
    ...rootLines(root, registry, fingerprint),
    ...(firstUse ? FIRST_USE : []),
  ])
}

/** First use is for a registry that was never seen: what answers now must not take the place of what was pinned before. */
async function assertNothingReplaced(
  { home }: Context,
  registry: string,
  { root, fingerprint }: Awaited<ReturnType<typeof pinTrust>>,
): Promise<void> {
  for (const old of await listTrust(home)) {
    const isSame = old.identity === root.identity && old.fingerprint === fingerprint
    if (isSame || (old.identity !== root.identity && old.registry !== registry)) continue
    refuse(
      'registry-mismatch',
      'another trust root is pinned for this: give --fingerprint when its operator says that it is new',
      { pinned: old.fingerprint ?? old.identity, found: fingerprint },
    )
  }
}

const FIRST_USE: Line[] = [
  [yellow('trusted on first use'), ': nothing but this connection says that it is the right registry.'],
  '  Compare the fingerprint with the one its operator gives you.',
]

/** `countersign trust show` */
export async function showTrust(context: Context): Promise<void> {
  const { trust } = await readPinned(context)
  const root = await openPinned(context)
  const fingerprint = trust.fingerprint ?? (root.version === 1 ? rootFingerprint(root.text) : 'unknown')
  const registry = trust.registry ?? ''
  context.out.result({ ...documentOf(root), registry, fingerprint }, [
    [bold(root.identity)],
    ...rootLines(root, registry, fingerprint),
    witnesses(root) === 0
      ? [yellow('no independent witness'), `: ${SPLIT_VIEW}`]
      : [green(`${witnesses(root)} witnesses`), ' watch its log'],
  ])
}

function witnesses(root: TrustRoot): number {
  return root.quorum.witnesses.length
}

function documentOf(root: TrustRoot) {
  const { identity, version, expires, freshness, logs, threshold } = root
  return {
    identity,
    version,
    expires,
    freshness,
    logs: logs.map(({ origin, status }) => ({ origin, status })),
    rootKeys: root.rootKeys.length,
    threshold,
    approvers: root.approvers?.threshold ?? 0,
    witnesses: witnesses(root),
    ...(witnesses(root) === 0 && { warning: SPLIT_VIEW }),
  }
}

function rootLines(root: TrustRoot, registry: string, fingerprint: string): Line[] {
  const days = Math.floor((root.expiresAt - Date.now() / 1000) / 86_400)
  const lines: Line[] = pairs([
    ['registry', registry],
    ['fingerprint', fingerprint],
    ['root', `version ${root.version}, ${root.threshold} of ${root.rootKeys.length} keys`],
    ['expires', `${root.expires} (${days} days)`],
    [
      'freshness',
      `at most ${root.freshness.maxSeconds} s old, offline ${root.freshness.offlineMaxSeconds} s`,
    ],
    ['log', root.logs.map(({ origin, status }) => `${origin} (${status})`).join(', ')],
  ])
  if (days < 60) lines.push([yellow('expires soon'), dim(': run `countersign trust add` again before')])
  return lines
}
