import type { Input } from './context.js'
import {
  CountersignError,
  isDigest,
  refuse,
  rootFingerprint,
  type TrustedLog,
  type TrustRoot,
} from '../core/index.js'
import { openTrust, pinTrust, walkRoot } from '../trust.js'
import { listTrust, readTrust, writeTrust } from '../node/index.js'
import { normalUrl, writeSettings, type Context } from './context.js'
import { registryOfHost } from './host.js'
import { bold, dim, green, pairs, yellow, type Line } from './output.js'
import { openPinned, readPinned } from './pinned.js'
import { openReadApi } from './reading.js'
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
  const pinned = await pinTrust(openReadApi(context, registry), {
    registry,
    ...(wanted !== undefined && { fingerprint: wanted }),
  })
  if (wanted === undefined) await assertNothingReplaced(context, registry, pinned)
  await assertNotOlder(context, pinned.root)
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

/** Who hides the newest roots is no place to pin from: what they ended would count again. */
async function assertNotOlder({ home }: Context, { identity, version }: TrustRoot): Promise<void> {
  const known = (await listTrust(home)).some((one) => one.identity === identity)
  const pinned = known ? await readWhole(home, identity) : undefined
  if (pinned === undefined || pinned.version <= version) return
  refuse('rollback', 'a newer trust root of this registry is pinned already', {
    step: 1,
    version,
    pinned: pinned.version,
  })
}

/** Undefined for a damaged one: to pin again is how it is mended. */
async function readWhole(home: string, identity: string): Promise<TrustRoot | undefined> {
  try {
    return openTrust(await readTrust(home, identity))
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code === 'io') throw error
    return undefined
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

/** `countersign trust update`: the pinned root is the start, so nobody who serves it can take another one's place. */
export async function updateTrust(context: Context): Promise<void> {
  const { trust } = await readPinned(context)
  const before = openTrust(trust)
  const registry = await registryOfHost(context)
  const root = await walkRoot(openReadApi(context, registry), before)
  if (root.version > before.version) {
    await writeTrust({ ...trust, rootNote: root.note }, context.home, { isDefault: false })
  }
  const ended = root.logs.filter(
    ({ status }, i) => status === 'frozen' && before.logs[i]?.status !== 'frozen',
  )
  const fingerprint = trust.fingerprint ?? 'unknown'
  context.out.result({ ...documentOf(root), before: before.version, registry, fingerprint }, [
    root.version === before.version
      ? [green('current'), ` ${root.identity}`]
      : [green('updated'), ` ${root.identity}, version ${before.version} to ${root.version}`],
    ...rootLines(root, registry, fingerprint),
    ...ended.map((log): Line => [yellow('ended'), ` ${log.origin}${endOf(log)}`]),
  ])
}

function endOf(log: TrustedLog): string {
  return log.status === 'frozen'
    ? `, at ${log.final.size} entries: whatever came after them counts for nothing`
    : ''
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
  if (days < 60) lines.push([yellow('expires soon'), dim(': run `countersign trust update` before')])
  return lines
}
