import {
  CountersignError,
  decodeBase64,
  formatEvent,
  openTrustRoot,
  parseEvent,
  parseStatus,
  signerFromSeed,
  randomBytes,
  signEvent,
  signKeyAddEvent,
  signNamespaceEvent,
  toHex,
  type Digest,
  type KeyThreshold,
  type LogEvent,
  type Manifest,
  type Signer,
  type UnsignedEvent,
} from 'countersign/core'
import { verifyBundle, verifyRevocations, verifyStatus, type VerifiedManifest } from 'countersign'
import { readBundleSize } from '../../client/src/verify.js'
import { openReplay, type Lie } from '../../client/src/cli/log/replay.js'
import { scopesOfRoles, type Principal } from '../../src/auth/scopes.js'
import { LedgerRefusal } from '../../src/log/errors.js'
import { OutsideError } from '../../src/net/outside.js'
import { openNames } from '../../src/publish/names.js'
import type { PublishContext } from '../../src/publish/inspect.js'
import { publish, type Published } from '../../src/publish/publish.js'
import { submitKeyEvent } from '../../src/publishers/enrol.js'
import { approve } from '../../src/review/approve.js'
import type { Outcome } from '../../src/review/motion.js'
import {
  ADMISSION_POLICY,
  keepPolicy,
  readPolicyInForce,
  setPolicy,
  type AdmissionPolicy,
} from '../../src/review/policy.js'
import { readReview } from '../../src/review/queue.js'
import type { AccountRow, Role, Store } from '../../src/storage/store.js'
import { startLedger, type LedgerFixture } from '../support/ledger.js'
import { sampleManifest, signManifest } from '../support/registry.js'

/** The rooms behind the door over a real log and a real database: no HTTP, no tokens. */
export interface Desk {
  readonly fixture: LedgerFixture
  readonly context: PublishContext
  readonly store: Store
  readonly identity: string
  /** A person, or with `owner` a service account of one. */
  person(account: string, roles?: readonly Role[], owner?: string): Promise<Principal>
  namespace(namespace: string, account: string): Promise<Signer>
  publish(by: Principal, key: Signer, manifest: Manifest): Promise<Published>
  manifest(server: string, change?: Partial<Manifest>): Manifest
  /** What a decision has to name now. */
  last(digest: Digest): Promise<number>
  approve(account: string, digest: Digest, change?: Partial<Parameters<typeof approve>[3]>): Promise<Outcome>
  policy(change: Partial<AdmissionPolicy>): Promise<Digest>
  event(index: number): Promise<LogEvent>
  entries(): Promise<LogEvent[]>
  status(digest: Digest): Promise<string | undefined>
  /** What a host that sees this registry for the first time makes of the version. */
  verify(digest: Digest): Promise<VerifiedManifest>
  /** What a whole replay of the log finds. */
  lies(): Promise<readonly Lie[]>
  close(): Promise<void>
}

export const REVIEWER: readonly Role[] = ['reviewer']
export const PUBLISHER: readonly Role[] = ['publisher']

const nowhere = (): never => {
  throw new OutsideError('unreachable', 'nothing is out there')
}

/** Opens one; `approvers` are named by its first trust root. */
export async function openDesk(approvers?: KeyThreshold): Promise<Desk> {
  const fixture = await startLedger(undefined, approvers === undefined ? {} : { people: { approvers } })
  const { store, ledger } = fixture
  const outside = { resolveTxt: nowhere, request: nowhere }
  const context = { store, ledger, outside, now: Date.now, names: openNames(store) }
  await keepPolicy(store)
  const { identity } = ledger
  const last = async (digest: Digest): Promise<number> => (await readReview(context, digest)).last
  return {
    ...{ fixture, context, store, identity, last },
    person: (account, roles = REVIEWER, owner) => addPerson(store, account, roles, owner),
    namespace: (namespace, account) => enrol(context, namespace, account),
    publish: (by, key, manifest) => publish(context, by, signManifest(manifest, key)),
    manifest: (server, change = {}) => sampleManifest(identity, { server, ...change }),
    approve: async (account, digest, change = {}) =>
      approve(context, account, digest, { after: await last(digest), ...change }),
    policy: (change) => changePolicy(context, change),
    event: async (index) => parseEvent((await store.readEntries(index, index + 1))[0] ?? ''),
    entries: async () =>
      (await store.readEntries(0, ledger.publishedSize())).map((entry) => parseEvent(entry)),
    status: async (digest) => (await store.readManifest(digest))?.status,
    verify: (digest) => verify(fixture, digest),
    lies: () => replay(fixture),
    close: () => fixture.remove(),
  }
}

async function addPerson(
  store: Store,
  account: string,
  roles: readonly Role[],
  owner?: string,
): Promise<Principal> {
  const kind: AccountRow['kind'] = owner === undefined ? 'person' : 'service'
  const row = { account, kind, roles, disabled: false, createdAt: 0 }
  await store.createAccount(owner === undefined ? { ...row, login: account } : { ...row, owner })
  return principalOf(account, roles, owner)
}

/** A caller whose token has every scope that its roles allow. */
export function principalOf(account: string, roles: readonly Role[], owner?: string): Principal {
  return {
    ...{ account, person: owner ?? account, clientId: `client-${account}`, roles },
    ...{ scopes: scopesOfRoles(roles), isBound: false },
  }
}

async function enrol(context: PublishContext, namespace: string, account: string): Promise<Signer> {
  const key = newSigner()
  const { identity } = context.ledger
  await context.store.grantNamespace(namespace, account, 'admin')
  const first = signNamespaceEvent({ namespace, proof: 'admin', account }, identity, key)
  const { index } = await submitKeyEvent(context, account, { namespace, text: formatEvent(first) })
  const sign = signKeyAddEvent({ namespace, role: 'sign', after: index }, identity, key, key)
  await submitKeyEvent(context, account, { namespace, text: formatEvent(sign) })
  return key
}

export function newSigner(): Signer {
  return signerFromSeed(randomBytes(32))
}

async function changePolicy(context: PublishContext, change: Partial<AdmissionPolicy>): Promise<Digest> {
  const { version } = await readPolicyInForce(context.store)
  const policy = { ...ADMISSION_POLICY, ...change }
  return (await setPolicy(context, 'admin', { after: version, policy })).digest
}

async function verify({ store, ledger }: LedgerFixture, digest: Digest): Promise<VerifiedManifest> {
  const row = await store.readManifest(digest)
  if (row?.approveIndex === undefined) throw new Error('it was never approved: there is no bundle')
  const bundle = await ledger.bundleFor(row)
  const root = openTrustRoot(ledger.trustRoot().note)
  const document = ledger.statusDocument()
  const status = verifyStatus(document, root)
  const snapshot = parseEvent(parseStatus(document).snapshot.event)
  const hex = snapshot.t === 'snapshot' ? toHex(decodeBase64(snapshot.revocations)) : ''
  const list = (await ledger.revocationList(hex)) ?? new Uint8Array()
  const proof = await ledger.consistencyProof(readBundleSize(bundle), status.checkpoint.size)
  return verifyBundle(
    bundle,
    {
      root,
      status,
      revocations: verifyRevocations(list, status),
      consistency: proof.map((hash) => decodeBase64(hash)),
    },
    { now: Date.now() },
  )
}

async function replay({ store, ledger }: LedgerFixture): Promise<readonly Lie[]> {
  const entries = await store.readEntries(0, ledger.publishedSize())
  const root = ledger.trustRoot()
  const digest = entries.map((entry) => parseEvent(entry)).find((event) => event.t === 'root')?.digest ?? ''
  const run = openReplay(ledger.identity, new Map([[1, digest]]), new Map([[1, root]]))
  for (const entry of entries) run.add(Buffer.from(entry))
  return run.finish().lies
}

/** The index where something was logged; fails the test otherwise. */
export function indexOf(outcome: Outcome): number {
  if ('index' in outcome) return outcome.index
  throw new Error(`not logged yet: ${JSON.stringify(outcome.tally)}`)
}

/** Votes and needs where it was not logged; fails the test otherwise. */
export function tallyOf(outcome: Outcome): { votes: number; needed: number; draft?: string } {
  if ('tally' in outcome) return outcome.tally
  throw new Error(`logged at ${outcome.index}`)
}

/** An approver's signature over a draft as the registry shows it. */
export function signDraft(draft: string | undefined, registry: string, by: Signer): string {
  return signEvent(JSON.parse(draft ?? '') as UnsignedEvent, registry, by)
}

/** The code it was refused with, and nothing was logged by it. */
export async function refusal(desk: Desk, act: () => Promise<unknown>): Promise<string> {
  const { ledger } = desk.fixture
  const before = ledger.publishedSize()
  try {
    await act()
  } catch (error) {
    if (!(error instanceof LedgerRefusal) && !(error instanceof CountersignError)) throw error
    if (ledger.publishedSize() !== before)
      throw new Error('refused, and logged all the same', { cause: error })
    return error.code
  }
  return 'not refused'
}

/** The verdict of a host on a version. */
export async function verdictOf(desk: Desk, digest: Digest): Promise<string> {
  try {
    await desk.verify(digest)
    return 'verified'
  } catch (error) {
    if (error instanceof CountersignError) return error.code
    throw error
  }
}
