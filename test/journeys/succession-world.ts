import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openHost, type Memory } from 'countersign'
import {
  encodeKeyX,
  signEvent,
  signKeyAddEvent,
  signKeyRevokeEvent,
  type Digest,
  type JsonObject,
  type KeyRevokeEvent,
  type Signer,
  type UnsignedEvent,
} from 'countersign/core'
import { checkLog } from '../../src/log/fsck.js'
import { openKeys } from '../../src/log/keys.js'
import { recoverCommand } from '../../src/registry/commands/upkeep.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import { openPlace, type Place, type Running } from '../registry/support.js'
import { openDns, type TestDns } from '../support/dns.js'
import {
  addAccount,
  callerOf,
  expectStatus,
  newKey,
  sampleManifest,
  signManifest,
  submitKeyEvent,
  type Caller,
  type Reply,
} from '../support/registry.js'
import { openReceiver, type Receiver } from '../webhooks/receiver.js'

const ROLES = {
  author: ['publisher'],
  neighbour: ['publisher'],
  reviewer: ['reviewer'],
  second: ['reviewer'],
} as const
const SCOPES = { publisher: 'registry:publish', reviewer: 'registry:review' } as const
export type Person = keyof typeof ROLES

/** A registry that ends a log and goes on, with people who stay the same whatever its address is. */
export interface Succession {
  readonly place: Place
  readonly receiver: Receiver
  readonly dns: TestDns
  at: Running
  rootNote: string
  as(person: Person): Caller
  /** Ends the log and starts the registry again. */
  succeed(): Promise<void>
  /** What is wrong in the database; the registry is stopped for it, and started again. */
  check(): Promise<readonly unknown[]>
  close(): Promise<void>
}

export async function openSuccession(approvers: readonly Signer[] = []): Promise<Succession> {
  const place = openPlace()
  const dns = await openDns()
  Object.assign(place.config, { dnsServers: [dns.address], ...rootFileOf(place, approvers) })
  const receiver = await openReceiver()
  const start = (): Promise<Running> =>
    place.start({ outside: { allow: () => true }, webhookEveryMs: 3_600_000 })
  const people = new Map<Person, Caller['client']>()
  const world: Succession = {
    ...{ place, receiver, dns, at: await start(), rootNote: '' },
    as: (person) => {
      const scopes = ROLES[person].map((role) => SCOPES[role]).join(' ')
      return callerOf(world.at.url, people.get(person)!, scopes)
    },
    async succeed() {
      await world.at.stop()
      await place.run(recoverCommand, ['recover'])
      world.at = await start()
    },
    async check() {
      await world.at.stop()
      const faults = await checkFolder(place)
      world.at = await start()
      return faults
    },
    async close() {
      await place.remove()
      await receiver.close()
      await dns.close()
    },
  }
  for (const [name, roles] of Object.entries(ROLES)) {
    people.set(name as Person, (await addAccount(world.at, name, roles)).client)
  }
  world.rootNote = await (await fetch(`${world.at.url}/v1/root/1`)).text()
  return world
}

/** The first root names approvers, two of whom must sign. */
function rootFileOf(place: Place, approvers: readonly Signer[]): { rootFile?: string } {
  if (approvers.length === 0) return {}
  const rootFile = place.file('people.json')
  const keys = approvers.map(({ publicKey }) => encodeKeyX(publicKey))
  writeFileSync(rootFile, JSON.stringify({ approvers: { keys, threshold: 2 } }))
  return { rootFile }
}

async function checkFolder({ config }: Place): Promise<readonly unknown[]> {
  const store = await openSqliteStore(join(config.dataDir, 'registry.sqlite'))
  try {
    return (await checkLog(store, await openKeys(join(config.dataDir, 'keys')))).faults
  } finally {
    await store.close()
  }
}

/** One namespace and what its people do in it. */
export interface Space {
  readonly namespace: string
  readonly own: Signer
  readonly person: Person
}

/** A tool that no other server has. */
function toolOf(server: string): JsonObject {
  return {
    name: 'get_forecast',
    description: `Returns the forecast of a city, as ${server} sees it.`,
    inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  }
}

export function envelopeOf(at: Running, server: string, version: string, key: Signer): string {
  const tools = [{ definition: toolOf(server), permissions: [] }]
  const description = `Weather reports, release ${version}.`
  return signManifest(sampleManifest(at.identity, { server, version, description, tools }), key)
}

export interface Listed {
  readonly manifest: Digest
  readonly index: number
  readonly envelope: string
}

export async function publishAs(
  world: Succession,
  { person }: Space,
  [server, version]: readonly [string, string],
  key: Signer,
): Promise<Listed> {
  const envelope = envelopeOf(world.at, server, version, key)
  const { body } = expectStatus(201, await world.as(person).post('/v1/manifests', envelope))
  return { manifest: body.manifest as Digest, index: body.index, envelope }
}

/** What a decision has to name now. */
export async function lastOf(world: Succession, digest: string): Promise<number> {
  return expectStatus(200, await world.as('reviewer').get(`/v1/review/${digest}`)).body.last
}

/** A vote; logged at once where one is enough. */
export async function voteAs(world: Succession, person: Person, digest: string): Promise<Reply> {
  return world.as(person).post(`/v1/review/${digest}/approval`, { after: await lastOf(world, digest) })
}

/** Both reviewers agree. */
export async function approveBoth(world: Succession, digest: string): Promise<number> {
  expectStatus(202, await voteAs(world, 'reviewer', digest))
  return expectStatus(201, await voteAs(world, 'second', digest)).body.index
}

/** An approver's signature under what the persons agreed on. */
export async function signDraft(
  world: Succession,
  digest: string,
  by: Signer,
  path = `/v1/review/${digest}/signatures`,
): Promise<Reply> {
  const { draft } = (await world.as('reviewer').get(`/v1/review/${digest}`)).body
  const signature = signEvent(JSON.parse(String(draft)) as UnsignedEvent, world.at.identity, by)
  return world.as('reviewer').post(path, { signature })
}

async function lastAbout(world: Succession, { namespace, person }: Space): Promise<number> {
  return (await world.as(person).get(`/v1/namespaces/${namespace}`)).body.last
}

/** Another signing key, endorsed by the first one. */
export async function addSigningKey(
  world: Succession,
  space: Space,
  added = newKey(),
  role: 'sign' | 'own' = 'sign',
): Promise<Signer> {
  const { namespace, own, person } = space
  const event = { namespace, role, after: await lastAbout(world, space) }
  const signed = signKeyAddEvent(event, world.at.identity, added, own)
  expectStatus(201, await submitKeyEvent(world.as(person), signed))
  return added
}

/** By the key itself, which alone goes back in time. */
export async function endKey(
  world: Succession,
  space: Space,
  key: Signer,
  how: Pick<KeyRevokeEvent, 'reason' | 'invalidFrom'>,
): Promise<number> {
  const { namespace, person } = space
  const event = { namespace, kid: key.kid, after: await lastAbout(world, space), ...how }
  const signed = signKeyRevokeEvent(event, world.at.identity, key)
  return expectStatus(201, await submitKeyEvent(world.as(person), signed)).body.index
}

/** `path` without its last word: what is revoked or reinstated. */
export async function decide(
  world: Succession,
  person: Person | 'admin',
  path: string,
  body: Readonly<Record<string, unknown>>,
  status = 201,
): Promise<number> {
  const caller = person === 'admin' ? world.at.admin : world.as(person)
  return expectStatus(status, await caller.post(path, { reason: 'found hostile', ...body })).body.index
}

export const toolDigest = async (world: Succession, server: string): Promise<string> => {
  const { body } = await world.as('author').get(`/v1/servers/${server}/versions/1.0.0`)
  return (body['tools'] as { digest: string }[])[0]!.digest
}

/** What a host makes of each version: `ok`, or the verdict’s code. */
export async function verdictsOf(
  { at, rootNote }: Succession,
  memory: Memory,
  versions: readonly string[],
): Promise<Record<string, string>> {
  const { identity, fingerprint } = at
  const host = await openHost({ registry: at.url, trust: { identity, rootNote, fingerprint }, memory })
  const found: Record<string, string> = {}
  for (const named of versions) {
    const [server = '', version = ''] = named.split('@')
    found[named] = await host.verify(server, version).then(
      () => 'ok',
      (error: unknown) => (error as { code: string }).code,
    )
  }
  await host.close()
  return found
}
