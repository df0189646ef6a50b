import {
  activeLog,
  decodeBase64,
  envelopeDigest,
  equalBytes,
  findLog,
  formatRevocations,
  leafHash,
  manifestDigest,
  parseBundle,
  parseManifest,
  parseRevocations,
  refuse,
  toHex,
  utf8Bytes,
  verifyEnvelope,
  verifyInclusion,
  type Bundle,
  type Manifest,
} from '../../core/index.js'
import { attempt, type Findings } from './findings.js'
import { lieAt } from './lie.js'
import type { Approval } from './progress.js'
import { stands, type Published, type State } from './replay-state.js'
import type { Roots } from './roots.js'
import { openSigned, type Shown } from './shown.js'
import type { LogSource } from './source.js'
import { checkConsistency } from './walk.js'
import type { Watch } from './watch.js'

/** What lies beside the tiles, and the state that the verified log says it should follow from. */
export interface Served {
  readonly source: LogSource
  readonly findings: Findings
  readonly shown: Shown
  readonly state: State
  /** Roots that were logged before this audit: a replay compares the others. */
  readonly rootsBefore: readonly (readonly [number, string])[]
  readonly approvals: readonly Approval[]
  readonly watch: Pick<Watch, 'isOwn'>
}

/** Revocation lists, roots and the envelopes of approvals. */
export async function checkServed(served: Served): Promise<void> {
  checkRoots(served)
  await checkRevocations(served)
  await checkDenials(served)
  for (const approval of served.approvals) await checkBundle(served, approval)
}

/** PROTOCOL 8: every version is in the log, and served for ever as it was logged. */
function checkRoots({ findings, shown: { roots }, state, rootsBefore }: Served): void {
  for (const [version, digest] of rootsBefore) {
    if (roots.digests.get(version) === digest) continue
    const said = `trust root ${version} is served as something else than what was logged`
    findings.lie(lieAt(state.position, 'proof-invalid', said, noteOf(roots, version)))
  }
  for (const version of roots.digests.keys()) {
    if (state.roots.has(version)) continue
    const said = `trust root ${version} is served and stands nowhere in the log`
    findings.lie(lieAt(state.position, 'proof-invalid', said, noteOf(roots, version)))
  }
}

function noteOf({ notes }: Roots, version: number) {
  return { root: notes.get(version) ?? '' }
}

/** The list that the newest snapshot names is the one that follows from the log. */
async function checkRevocations({ source, findings, shown, state }: Served): Promise<void> {
  const { status, target } = shown
  if (status === undefined) return
  await attempt(findings, state.position - 1, async () => {
    const bytes = await source.revocations(toHex(decodeBase64(status.snapshot.revocations)))
    // Only the tree that was replayed to its end says which lines there are.
    const isNewest = status.tree.size === target.size
    if (isNewest && !equalBytes(bytes, formatRevocations([...state.lines]))) {
      refuse('proof-invalid', 'the revocation list is not the one that the log and its snapshot name')
    }
  })
}

async function checkDenials({ source, findings, shown: { status }, state }: Served): Promise<void> {
  const { denials } = status ?? {}
  if (denials === undefined) return
  const { tree, snapshot } = denials
  await attempt(
    findings,
    state.position,
    async () => {
      const root = decodeBase64(snapshot.revocations)
      parseRevocations(await source.revocations(toHex(root)), { root, count: snapshot.count })
    },
    () => ({ notes: [tree.note] }),
  )
}

/**
 * An approved manifest is served as what was logged: the digests, the signature of the key it was published with, and
 * every leaf of its bundle within the log. That it is deprecated or revoked by now makes no lie of it true.
 */
async function checkBundle(served: Served, { manifest, index }: Approval): Promise<void> {
  const { source, findings, state } = served
  const published = state.published.get(manifest)?.at(-1)
  if (published === undefined) return
  const isDue = state.standings.get(manifest) === 'approved' && stands(state, published)
  await attempt(findings, index, async () => {
    const bytes = await source.bundle(manifest)
    if (bytes === undefined) {
      const said = `${published.server} ${published.version} is approved, and its bundle is not served`
      if (isDue) findings.alert({ code: 'manifest-withheld', index, said })
      return
    }
    const bundle = parseBundle(bytes)
    const payload = verifyPublished(state, published, bundle.envelope)
    if (isDue) tellVouched(served, published, parseManifest(payload), index)
    await assertLeaves(served, bundle)
  })
}

/** Whose server somebody else speaks of, wants to know it. */
function tellVouched(
  { findings, watch }: Served,
  { server, version }: Published,
  { subject }: Manifest,
  index: number,
): void {
  if (subject?.server === undefined || !watch.isOwn(subject.server) || watch.isOwn(server)) return
  const said = `${server} ${version} is approved, and vouches for ${subject.server}`
  findings.alert({ code: 'vouched-for', index, said })
}

/** @returns the manifest's bytes */
function verifyPublished(state: State, published: Published, envelope: string): Uint8Array {
  const { namespace, kid, digest } = published
  const key = state.keys.get(namespace)?.find((one) => one.kid === kid && one.role === 'sign')
  if (key === undefined) return refuse('key-unknown', `${kid} is no key of ${namespace}`)
  const payload = verifyEnvelope(envelope, 'countersign-manifest+json', key.publicKey)
  if (envelopeDigest(envelope) !== published.envelope || manifestDigest(payload) !== digest) {
    refuse('proof-invalid', `${published.server} ${published.version} is served as another manifest`)
  }
  return payload
}

/** Each leaf at the bundle's own checkpoint, or at the end of the frozen log it stands in; that tree within the log. */
async function assertLeaves({ source, shown }: Served, bundle: Bundle): Promise<void> {
  const { newest } = shown.roots
  const [origin = ''] = bundle.checkpoint.split('\n', 1)
  const key = newest.logVerifiers.get(origin) ?? activeLog(newest).key
  const tree = openSigned(bundle.checkpoint, { origin, key })
  const frozen = newest.logs.findIndex((log) => log.origin === origin && log.status === 'frozen')
  const place = { origin, ...(frozen >= 0 && { number: frozen + 1 }) }
  const whole = findLog(newest, origin)?.final ?? shown.target
  const [small, large] = tree.size <= whole.size ? [tree, whole] : [whole, tree]
  await checkConsistency(source, place, small, large)
  for (const { log, index, event, proof } of bundle.events) {
    const within = log === undefined ? tree : findLog(newest, log)?.final
    if (within === undefined) return refuse('proof-invalid', `the trust root froze no log ${log ?? ''}`)
    verifyInclusion(index, within.size, leafHash(utf8Bytes(event)), proof, within.root)
  }
}
