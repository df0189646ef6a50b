import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryInProcess } from 'countersign'
import type { Signer } from 'countersign/core'
import { logInAs, openSeat, trustRegistry, type Seat } from '../support/cli-inside.js'
import { addPublisher, newKey, signManifest, sampleManifest, expectStatus } from '../support/registry.js'
import {
  addSigningKey,
  approveBoth,
  decide,
  endKey,
  envelopeOf,
  lastOf,
  openSuccession,
  publishAs,
  signDraft,
  toolDigest,
  verdictsOf,
  voteAs,
  type Listed,
  type Space,
  type Succession,
} from './succession-world.js'

// A log ends in the middle of everybody's work, and its successor takes all of it up: positions go on counting.

const NS = 'com.example'
const named = (name: string, version = '1.0.0'): string => `${NS}/${name}@${version}`
let world: Succession
let mine: Space
let theirs: Space
let seat: Seat
const memory = memoryInProcess()
const versions = new Map<string, Listed>()
const keys: Record<'stolen' | 'old' | 'stolenLater' | 'owner' | 'fromOwner', Signer> = {
  ...{ stolen: newKey(), old: newKey(), stolenLater: newKey(), owner: newKey(), fromOwner: newKey() },
}
/** Positions of before. */
const known: Record<string, number> = {}
let base = 0

const listed = (name: string, version?: string): Listed => versions.get(named(name, version))!
const digestOf = (name: string, version?: string): string => listed(name, version).manifest
const about = (name: string, version?: string): string => `/v1/manifests/${digestOf(name, version)}`
async function submit(name: string, version = '1.0.0', key = mine.own): Promise<Listed> {
  const done = await publishAs(world, mine, [`${NS}/${name}`, version], key)
  versions.set(named(name, version), done)
  return done
}
async function release(name: string, version = '1.0.0', key = mine.own): Promise<void> {
  const { manifest } = await submit(name, version, key)
  expectStatus(201, await voteAs(world, 'reviewer', manifest))
}

beforeAll(async () => {
  world = await openSuccession()
  mine = { namespace: NS, person: 'author', own: (await addPublisher(world.at, NS, world.as('author'))).key }
  theirs = {
    ...{ namespace: 'org.other', person: 'neighbour' },
    own: (await addPublisher(world.at, 'org.other', world.as('neighbour'))).key,
  }
  expectStatus(201, await world.at.admin.post('/v1/admin/webhooks', { url: world.receiver.url }))
  await before()
  const host = await verdictsOf(world, memory, [...versions.keys()])
  expect(host).toMatchObject({ [named('tide')]: 'ok', [named('weather', '2.0.0')]: 'revoked' })
  base = world.at.registry.ledger.publishedEnd()
  await world.succeed()
})
afterAll(async () => {
  seat.close()
  await world.close()
})

/** Everything that a log can be in the middle of. */
async function before(): Promise<void> {
  for (const key of [keys.stolen, keys.old, keys.stolenLater]) await addSigningKey(world, mine, key)
  await addSigningKey(world, mine, keys.owner, 'own')
  await addSigningKey(world, { ...mine, own: keys.owner }, keys.fromOwner)
  for (const version of ['1.0.0', '2.0.0', '3.0.0']) await release('weather', version)
  for (const name of ['clock', 'moon', 'tide', 'sun']) await release(name)
  await release('rain', '1.0.0', keys.stolen)
  await release('snow', '1.0.0', keys.old)
  await release('wind', '1.0.0', keys.stolenLater)
  await release('gale', '1.0.0', keys.fromOwner)
  const other = await publishAs(world, theirs, ['org.other/weather', '1.0.0'], theirs.own)
  versions.set('org.other/weather@1.0.0', other)
  expectStatus(201, await voteAs(world, 'reviewer', other.manifest))

  await decide(world, 'author', `${about('weather')}/deprecation`, {})
  await decide(world, 'reviewer', `${about('weather', '2.0.0')}/revocation`, {})
  known['server'] = await decide(world, 'author', `/v1/servers/${NS}/clock/revocation`, {})
  known['tool'] = await decide(
    world,
    'reviewer',
    `/v1/tools/${await toolDigest(world, `${NS}/moon`)}/revocation`,
    {},
  )
  const after = await decide(world, 'reviewer', `${about('tide')}/revocation`, {})
  for (const person of ['reviewer', 'second'] as const) {
    await decide(world, person, `${about('tide')}/reinstatement`, { after }, person === 'second' ? 201 : 202)
  }
  await endKey(world, mine, keys.stolen, { reason: 'compromise', invalidFrom: listed('rain').index })
  await endKey(world, mine, keys.old, { reason: 'superseded' })

  for (const name of ['fog', 'hail', 'dew', 'haze', 'ice', 'dust']) await submit(name)
  const last = await lastOf(world, digestOf('fog'))
  await decide(world, 'reviewer', `/v1/review/${digestOf('fog')}/rejection`, { after: last })
  await decide(world, 'author', `${about('hail')}/withdrawal`, {})
  const { body } = await world.at.admin.get('/v1/policy')
  const policy = body['policy'] as { approvals: Record<string, number> }
  const approvals = {
    ...policy.approvals,
    first: 2,
    none: 2,
    cosmetic: 2,
    narrowed: 2,
    text: 2,
    widened: 2,
    dangerous: 2,
  }
  expectStatus(
    200,
    await world.at.admin.put('/v1/policy', { after: body['version'], policy: { ...policy, approvals } }),
  )
  expectStatus(202, await voteAs(world, 'reviewer', digestOf('haze')))
  const revoked = await lastOf(world, digestOf('weather', '2.0.0'))
  await decide(world, 'reviewer', `${about('weather', '2.0.0')}/reinstatement`, { after: revoked }, 202)
  await world.at.registry.deliveries.runOnce()
  seat = openSeat()
  await enter(seat, 'author')
  await seat.ok('keygen')
  for (const namespace of ['com.claimed', 'com.halfway']) {
    const { records } = (await seat.ok('namespace', 'claim', namespace)) as { records: ProofRecord[] }
    world.dns.zone.set(records[0]!.at, { txt: [[records[0]!.value]] })
  }
  await seat.ok('namespace', 'verify', 'com.claimed')
}

interface ProofRecord {
  readonly at: string
  readonly value: string
}

/** A person at a machine, at the address the registry has now. */
async function enter(who: Seat, person: 'author' | 'reviewer'): Promise<void> {
  await trustRegistry(who, world.at)
  const { clientId, clientSecret } = world.as(person).client
  await logInAs(who, world.at, clientId, clientSecret)
}

const hosts = async (): Promise<Record<string, string>> => {
  const [old, fresh] = [
    await verdictsOf(world, memory, [...versions.keys()]),
    await verdictsOf(world, memoryInProcess(), [...versions.keys()]),
  ]
  expect(fresh).toEqual(old)
  return old
}

/** Positions are given from `base` on, and never twice. */
const given = (index: number): number => {
  expect(index).toBeGreaterThanOrEqual(base)
  expect(index).toBeLessThan(world.at.registry.ledger.publishedEnd())
  return index
}

describe('after a succession', () => {
  it('shows hosts what it showed before, old hosts and new ones', async () => {
    expect(world.at.registry.ledger.base).toBe(base)
    expect(await hosts()).toEqual({
      [named('weather')]: 'ok',
      [named('weather', '2.0.0')]: 'revoked',
      [named('weather', '3.0.0')]: 'ok',
      [named('clock')]: 'revoked',
      [named('moon')]: 'ok',
      [named('tide')]: 'ok',
      [named('sun')]: 'ok',
      [named('rain')]: 'key-revoked',
      [named('snow')]: 'ok',
      [named('wind')]: 'ok',
      [named('gale')]: 'ok',
      'org.other/weather@1.0.0': 'ok',
      ...Object.fromEntries(
        ['fog', 'hail', 'dew', 'haze', 'ice', 'dust'].map((name) => [named(name), 'unknown-server']),
      ),
    })
  })

  it('answers what was published before with its old position, and gives new ones after it', async () => {
    for (const [name, status] of [
      ['dew', 'pending'],
      ['hail', 'withdrawn'],
      ['fog', 'rejected'],
      ['weather', 'deprecated'],
    ] as const) {
      const again = await world.as('author').post('/v1/manifests', listed(name).envelope)
      expect([again.status, again.body.index, again.body.status]).toEqual([200, listed(name).index, status])
      expect((await fetch(`${world.at.url}/v1/log/entries/${again.body.index}`)).status).toBe(200)
    }
    const other = signManifest(
      sampleManifest(world.at.identity, { server: `${NS}/weather`, version: '3.0.0', title: 'Else' }),
      mine.own,
    )
    expect((await world.as('author').post('/v1/manifests', other)).body.code).toBe('version-taken')
    given((await submit('weather', '4.0.0')).index)
    const { body } = await world.as('author').get(`/v1/servers/${NS}/weather`)
    expect(body.versions.map(({ index, status }) => [index, status])).toEqual([
      [listed('weather', '4.0.0').index, 'pending'],
      [listed('weather', '3.0.0').index, 'approved'],
      [listed('weather', '2.0.0').index, 'revoked'],
      [listed('weather').index, 'deprecated'],
    ])
  })

  it('says of each position where it stands', async () => {
    const entry = async (index: number) =>
      await (await fetch(`${world.at.url}/v1/log/entries/${index}`)).json()
    const { ledger } = world.at.registry
    expect(await entry(0)).toEqual({ index: 0, published: true })
    expect(await entry(base - 1)).toEqual({ index: base - 1, published: true })
    expect(await entry(base)).toEqual({ index: base, published: true, size: ledger.publishedSize() })
    expect((await fetch(`${world.at.url}/v1/log/entries/${ledger.publishedEnd()}`)).status).toBe(404)
  })

  it('shows the queue, what changed, and what stands revoked', async () => {
    const { body } = await world.as('reviewer').get('/v1/review?limit=2')
    expect(body.items.map(({ manifest }) => manifest)).toEqual([digestOf('dew'), digestOf('haze')])
    const rest = await world.as('reviewer').get(`/v1/review?limit=100&cursor=${body.cursor}`)
    expect(rest.body.items.map(({ manifest }) => manifest)).toEqual([
      ...[digestOf('ice'), digestOf('dust'), digestOf('weather', '4.0.0')],
    ])
    const diff = await fetch(`${world.at.url}/v1/servers/${NS}/weather/diff?from=1.0.0&to=3.0.0`)
    expect([diff.status, ((await diff.json()) as { changes: unknown[] }).changes.length > 0]).toEqual([
      200,
      true,
    ])
    const root = Buffer.from(world.at.registry.ledger.publishedRevocations(), 'base64').toString('hex')
    const list = await (await fetch(`${world.at.url}/v1/revocations/${root}`)).text()
    expect(
      list
        .trimEnd()
        .split('\n')
        .map((line) => line.split('\0')[0])
        .sort(),
    ).toEqual(['key', 'key', 'manifest', 'server', 'tool'])
  })

  it('takes up decisions where they were', async () => {
    expect(await lastOf(world, digestOf('dew'))).toBe(listed('dew').index)
    given(await approveBoth(world, digestOf('dew')))
    // One vote was cast before; an outdated one counts no more.
    const outdated = { after: listed('haze').index - 1 }
    const late = await world.as('second').post(`/v1/review/${digestOf('haze')}/approval`, outdated)
    expect(late.body.code).toBe('after-outdated')
    given(expectStatus(201, await voteAs(world, 'second', digestOf('haze'))).body.index)
    given(await approveBoth(world, digestOf('fog')))
    const after = await lastOf(world, digestOf('ice'))
    given(await decide(world, 'reviewer', `/v1/review/${digestOf('ice')}/rejection`, { after }))
    given(await decide(world, 'author', `${about('dust')}/withdrawal`, {}))
    given(await decide(world, 'author', `${about('snow')}/deprecation`, {}))
    given(await approveBoth(world, digestOf('weather', '4.0.0')))
  })

  it('reinstates what was revoked before: version, server and tool', async () => {
    const again = `${about('weather', '2.0.0')}/reinstatement`
    given(await decide(world, 'second', again, { after: await lastOf(world, digestOf('weather', '2.0.0')) }))
    const tool = `/v1/tools/${await toolDigest(world, `${NS}/moon`)}/reinstatement`
    const clock = `/v1/servers/${NS}/clock/reinstatement`
    for (const [path, after] of [
      [tool, known['tool']],
      [clock, known['server']],
    ] as const) {
      await decide(world, 'reviewer', path, { after }, 202)
      given(await decide(world, 'second', path, { after }))
    }
    expect(await hosts()).toMatchObject({ [named('weather', '2.0.0')]: 'ok', [named('clock')]: 'ok' })
  })

  it('revokes what was approved before: version, server and tool', async () => {
    given(await decide(world, 'reviewer', `${about('weather', '3.0.0')}/revocation`, {}))
    given(await decide(world, 'author', `/v1/servers/${NS}/tide/revocation`, {}))
    given(await decide(world, 'reviewer', `/v1/tools/${await toolDigest(world, `${NS}/sun`)}/revocation`, {}))
    expect(await hosts()).toMatchObject({
      [named('weather', '3.0.0')]: 'revoked',
      [named('tide')]: 'revoked',
      [named('weather', '4.0.0')]: 'ok',
    })
  })

  it('ends keys in the frozen log, with all that they endorsed; the same content comes under another key', async () => {
    const fresh = await addSigningKey(world, mine)
    given(
      await endKey(world, mine, keys.stolenLater, {
        reason: 'compromise',
        invalidFrom: listed('wind').index,
      }),
    )
    const owner = await world.as('author').get(`/v1/namespaces/${NS}`)
    const { added } = owner.body.keys.find(({ kid }) => kid === keys.fromOwner.kid) as unknown as {
      added: { sign: number }
    }
    given(await endKey(world, mine, keys.owner, { reason: 'compromise', invalidFrom: added.sign }))
    expect(await hosts()).toMatchObject({ [named('wind')]: 'key-revoked', [named('gale')]: 'key-revoked' })
    for (const name of ['rain', 'wind', 'gale']) {
      expect(given((await submit(name, '1.0.0', fresh)).index)).toBeGreaterThan(base)
      given(await approveBoth(world, digestOf(name)))
    }
    expect(await hosts()).toMatchObject({
      ...{ [named('wind')]: 'ok', [named('gale')]: 'ok', [named('rain')]: 'ok', [named('snow')]: 'ok' },
    })
    const envelope = envelopeOf(world.at, `${NS}/late`, '1.0.0', keys.stolenLater)
    expect((await world.as('author').post('/v1/manifests', envelope)).body.code).toBe('key-unknown')
  })

  it('tells webhooks each thing once, with positions', async () => {
    const { deliveries } = world.at.registry
    const { received } = world.receiver
    const told = () =>
      received.map(({ body }) => JSON.parse(body) as { type: string; data: { index?: number } })
    const publicationsTold = () =>
      told()
        .filter(({ type }) => type === 'publish')
        .map(({ data }) => data.index)
    const audit = (await world.at.admin.get('/v1/audit?action=publish&limit=100')).body.records
    // A turn is not for ever: what is left then is for the next one.
    await expect
      .poll(() => deliveries.runOnce().then(() => publicationsTold().length))
      .toBeGreaterThanOrEqual(audit.length)
    await deliveries.runOnce()
    const ids = received.map(({ headers }) => headers['webhook-id'])
    expect(new Set(ids).size).toBe(ids.length)
    const publications = publicationsTold()
    expect(publications).toEqual([...publications].sort((a, b) => a! - b!))
    expect(new Set(publications).size).toBe(publications.length)
    expect(publications.length).toBeGreaterThanOrEqual(versions.size)
    expect(publications.some((index) => index! < base) && publications.some((index) => index! >= base)).toBe(
      true,
    )
    expect(audit.map(({ index }) => index).reverse()).toEqual(publications)
  })

  it('works from the command line: publish, decide, keys, and a replay of both logs', async () => {
    await enter(seat, 'author')
    const manifest = join(seat.home, 'again.jws')
    writeFileSync(manifest, listed('dew').envelope)
    expect(await seat.ok('publish', manifest, '--wait')).toMatchObject({
      ...{ index: listed('dew').index, status: 'approved' },
    })
    const reviewer = openSeat()
    await enter(reviewer, 'reviewer')
    const revoked = await reviewer.ok('admin', 'revoke', `${NS}/dew@1.0.0`, '--reason', 'odd', '--yes')
    given(Number(revoked['index']))
    reviewer.close()
    // One namespace was proved before, of the other one only the challenge was given.
    expect(await seat.ok('namespace', 'check', 'com.claimed')).toMatchObject({ look: 'present' })
    const { added } = (await seat.ok('namespace', 'verify', 'com.halfway')) as { added: { index: number }[] }
    expect(added).toHaveLength(2)
    for (const { index } of added) given(index)
    const second = join(seat.home, 'second.pem')
    await seat.ok('keygen', '--out', second)
    for (const namespace of ['com.claimed', 'com.halfway']) {
      const more = (await seat.ok('key', 'add', namespace, '--key', second)) as { added: { index: number }[] }
      given(more.added[0]!.index)
    }
    expect(await seat.ok('log', 'verify')).toMatchObject({ ok: true })
  })

  it('is sound in every table, and can be succeeded again', async () => {
    expect(await world.check()).toEqual([])
    const before = await hosts()
    await submit('noon')
    base = world.at.registry.ledger.publishedEnd()
    await world.succeed()
    expect(world.at.registry.ledger.base).toBe(base)
    expect(await hosts()).toEqual({ ...before, [named('noon')]: 'unknown-server' })
    given(await approveBoth(world, digestOf('noon')))
    given(await decide(world, 'reviewer', `${about('weather', '4.0.0')}/revocation`, {}))
    const again = `${about('weather', '3.0.0')}/reinstatement`
    const after = await lastOf(world, digestOf('weather', '3.0.0'))
    await decide(world, 'reviewer', again, { after }, 202)
    given(await decide(world, 'second', again, { after }))
    expect(await hosts()).toMatchObject({
      ...{ [named('noon')]: 'ok', [named('weather', '4.0.0')]: 'revoked' },
      [named('weather', '3.0.0')]: 'ok',
    })
    expect(await world.check()).toEqual([])
  })
})

describe('approvers', () => {
  it('finish on a successor what they began, and nobody signs twice', async () => {
    const [one, two, three] = [newKey(), newKey(), newKey()]
    const guarded = await openSuccession([one, two, three])
    const { key: own } = await addPublisher(guarded.at, NS, guarded.as('author'))
    const space: Space = { namespace: NS, person: 'author', own }
    const half = await publishAs(guarded, space, [`${NS}/half`, '1.0.0'], own)
    const back = await publishAs(guarded, space, [`${NS}/back`, '1.0.0'], own)
    for (const { manifest } of [half, back]) {
      expectStatus(202, await voteAs(guarded, 'reviewer', manifest))
      expectStatus(202, await signDraft(guarded, manifest, one))
    }
    expectStatus(201, await signDraft(guarded, back.manifest, two))
    const path = `/v1/manifests/${back.manifest}`
    const after = await decide(guarded, 'reviewer', `${path}/revocation`, {})
    for (const person of ['reviewer', 'second'] as const) {
      await decide(guarded, person, `${path}/reinstatement`, { after }, 202)
    }
    const reinstating = `${path}/reinstatement/signatures`
    expectStatus(202, await signDraft(guarded, back.manifest, two, reinstating))
    const ended = guarded.at.registry.ledger.publishedEnd()
    const old = memoryInProcess()
    const both = [`${NS}/half@1.0.0`, `${NS}/back@1.0.0`]
    await verdictsOf(guarded, old, both)
    await guarded.succeed()

    expectStatus(202, await signDraft(guarded, half.manifest, one))
    expect(expectStatus(201, await signDraft(guarded, half.manifest, three)).body.index).toBeGreaterThan(
      ended,
    )
    expectStatus(202, await signDraft(guarded, back.manifest, two, reinstating))
    expectStatus(201, await signDraft(guarded, back.manifest, three, reinstating))
    for (const memory of [old, memoryInProcess()]) {
      expect(await verdictsOf(guarded, memory, both)).toEqual({ [both[0]!]: 'ok', [both[1]!]: 'ok' })
    }
    expect(await guarded.check()).toEqual([])
    await guarded.close()
  })
})
