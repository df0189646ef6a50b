import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  CountersignError,
  formatEvent,
  signKeyAddEvent,
  signKeyRevokeEvent,
  toolDigest,
  type Manifest,
  type Signer,
} from 'countersign/core'
import type { Principal } from '../../src/auth/scopes.js'
import { LedgerRefusal } from '../../src/log/errors.js'
import { submitKeyEvent } from '../../src/publishers/enrol.js'
import { deprecate, reject, withdraw } from '../../src/review/decide.js'
import { targetKey, type Target } from '../../src/review/lines.js'
import { reinstate } from '../../src/review/reinstate.js'
import { revoke } from '../../src/review/revoke.js'
import { newSigner, openDesk, PUBLISHER, verdictOf, type Desk } from './support.js'

// Whatever people do in whichever order: the log that results is true for a replay, and hosts see what rows say.

const STEPS = 110
const reason = 'a test needs it'
const namespace = 'com.example'

let desk: Desk
let author: Principal
let reviewer: Principal
let own: Signer
let keys: Signer[]

beforeEach(async () => {
  desk = await openDesk()
  author = await desk.person('author', PUBLISHER)
  reviewer = await desk.person('reviewer')
  await desk.person('reviewer2')
  own = await desk.namespace(namespace, 'author')
  keys = [own]
  await desk.policy({ autoApprove: ['none', 'cosmetic'] })
})
afterEach(() => desk.close())

/** The same numbers for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const toolOf = (at: number): Manifest['tools'][number] => ({
  definition: { name: `t${at}`, description: `Counts to ${at}.`, inputSchema: { type: 'object' } },
  permissions: [],
})

async function rotate(pick: (below: number) => number): Promise<void> {
  const send = async (event: Parameters<typeof formatEvent>[0]) =>
    submitKeyEvent(desk.context, 'author', {
      namespace,
      text: formatEvent(event),
      ...(event.t === 'key.revoke' && { revokes: event.kid }),
    })
  const last = async () => (await desk.store.latestAbout(`namespace:${namespace}`)) ?? 0
  const next = newSigner()
  await send(signKeyAddEvent({ namespace, role: 'sign', after: await last() }, desk.identity, next, own))
  const old = keys.at(-1)
  keys.push(next)
  if (old === undefined || old === own) return
  const rows = (await desk.store.readKeys(namespace)).filter(({ kid }) => kid === old.kid)
  const invalidFrom = (rows[0]?.added ?? 0) + 1 + pick(30)
  const end = { namespace, kid: old.kid, reason: 'compromise', after: await last(), invalidFrom } as const
  await send(signKeyRevokeEvent(end, desk.identity, old))
}

/** One step; what is refused is as good as what is not. */
async function step(pick: (below: number) => number): Promise<void> {
  const server = `${namespace}/s${pick(2)}`
  const rows = await desk.store.readServer(server)
  const digest = rows[pick(rows.length)]?.manifest ?? `sha256:${'0'.repeat(64)}`
  const targets: Target[] = [
    { target: 'manifest', digest },
    { target: 'server', name: server },
    { target: 'tool', digest: toolDigest(toolOf(pick(2)).definition) },
  ]
  const target = targets[pick(3)] ?? { target: 'manifest', digest }
  const after = (await desk.store.latestAbout(targetKey(target))) ?? 0
  const { context } = desk
  const tools = [toolOf(pick(2)), toolOf(2)]
  const version = `1.0.${pick(12)}`
  const key = keys[keys.length - 1 - pick(Math.min(2, keys.length))] ?? own
  const acts: (() => Promise<unknown>)[] = [
    () => desk.publish(author, key, desk.manifest(server, { version, tools })),
    () => desk.publish(author, key, desk.manifest(server, { version })),
    () => desk.approve('reviewer', digest, { override: 'known' }),
    () => desk.approve('reviewer2', digest, { override: 'known' }),
    async () => reject(context, 'reviewer', digest, { after: await desk.last(digest), reason }),
    () => withdraw(context, author, digest, { reason }),
    () => deprecate(context, author, digest, { reason }),
    () => revoke(context, reviewer, target, { reason }),
    () => reinstate(context, 'reviewer', target, { after, reason }),
    () => reinstate(context, 'reviewer2', target, { after, reason }),
    () => reinstate(context, 'reviewer2', target, { after, reason }),
    () => (pick(3) === 0 ? rotate(pick) : Promise.resolve()),
  ]
  try {
    await acts[pick(acts.length)]?.()
  } catch (cause) {
    if (!(cause instanceof LedgerRefusal) && !(cause instanceof CountersignError)) throw cause
  }
}

describe('every honest history', () => {
  it.each([1, 2, 3])('is true for whoever replays it, and hosts see what the rows say (%d)', async (seed) => {
    const pick = random(seed)
    for (let i = 0; i < STEPS; i++) await step(pick)
    expect(await desk.lies()).toEqual([])
    const seen: string[] = []
    for (const server of ['s0', 's1']) {
      for (const row of await desk.store.readServer(`${namespace}/${server}`)) {
        if (row.approveIndex === undefined) continue
        const verdict = await verdictOf(desk, row.manifest)
        seen.push(verdict)
        const expected = row.status === 'revoked' ? ['revoked', 'key-revoked'] : ['verified', 'key-revoked']
        expect([row.status, expected]).toEqual([row.status, expect.arrayContaining([verdict])])
      }
    }
    expect(seen.length).toBeGreaterThan(0)
  })
})
