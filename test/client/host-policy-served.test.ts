import { describe, expect, it } from 'vitest'
import {
  CountersignError,
  DEFAULT_HOST_POLICY,
  memoryInProcess,
  openHost,
  type Host,
  type HostEvent,
  type HostOptions,
  type Memory,
} from 'countersign'
import {
  authorityName,
  encodeKeyX,
  formatNote,
  formatPolicyText,
  noteSigner,
  openPolicyNote,
  type JsonObject,
  type Signer,
} from 'countersign/core'
import { openWorld, signerNamed, tool, type World } from '../support/world.js'
import { codeOf, codeOfAsync } from './support.js'

const OBSERVE: JsonObject = { format: 'countersign/host-policy/v1', mode: 'observe' }
const BLOCKING: JsonObject = { format: 'countersign/host-policy/v1', managed: true }

/** A policy as the authorities of this world sign it; anything about it can be another way. */
function policyNote(
  world: World,
  version: number,
  body: JsonObject = OBSERVE,
  change: { readonly by?: readonly Signer[]; readonly identity?: string } = {},
): string {
  const { by = world.keys.authorities, identity = world.identity } = change
  const text = formatPolicyText(identity, version, body)
  return formatNote(
    text,
    by.map((signer) => noteSigner(authorityName(identity), signer).sign(text)),
  )
}

const opened = (world: World, note: string) => codeOf(() => openPolicyNote(note, world.root))

describe('a signed host policy', () => {
  const world = openWorld({ authorities: 2 })
  const [first, second] = world.keys.authorities as [Signer, Signer]

  it('is verified by a threshold of the authorities, and is what was signed', () => {
    const policy = openPolicyNote(policyNote(world, 7), world.root)
    expect([policy.version, policy.identity, policy.body]).toEqual([7, world.identity, OBSERVE])
  })

  it('without authorities the root keys sign', () => {
    const plain = openWorld()
    const text = formatPolicyText(plain.identity, 1, OBSERVE)
    const note = formatNote(text, [noteSigner(`${plain.identity}/root`, plain.keys.root).sign(text)])
    expect(openPolicyNote(note, plain.root).version).toBe(1)
    expect(opened(plain, policyNote(plain, 1, OBSERVE, { by: [signerNamed('anybody')] }))).toBe(
      'signature-invalid',
    )
  })

  it.each([
    ['one of two', { by: [first] }],
    ['one of them twice', { by: [first, first] }],
    ['a stranger beside one', { by: [first, signerNamed('anybody')] }],
    ['a root key, where there are authorities', { by: [world.keys.root] }],
  ])('signed by %s is nothing', (_, change) => {
    expect(opened(world, policyNote(world, 1, OBSERVE, change))).toBe('signature-invalid')
  })

  it('for another registry is registry-mismatch, whoever signed', () => {
    expect(opened(world, policyNote(world, 1, OBSERVE, { identity: 'registry-other' }))).toBe(
      'registry-mismatch',
    )
  })

  it('every change of a byte is refused', () => {
    const note = policyNote(world, 3)
    for (let at = 0; at < note.length; at++) {
      const other = note.charAt(at) === 'x' ? 'y' : 'x'
      const mangled = note.slice(0, at) + other + note.slice(at + 1)
      expect(opened(world, mangled), `byte ${at}`).toBeTypeOf('string')
    }
    expect(second.kid).not.toBe(first.kid)
  })

  it.each([
    ['version 0', 'countersign/host-policy/v1\nIDENTITY\n0\n{}\n'],
    ['a version with a leading zero', 'countersign/host-policy/v1\nIDENTITY\n01\n{}\n'],
    ['a fifth line', 'countersign/host-policy/v1\nIDENTITY\n1\n{}\n{}\n'],
    ['JSON in another spelling', 'countersign/host-policy/v1\nIDENTITY\n1\n{ }\n'],
    ['a list', 'countersign/host-policy/v1\nIDENTITY\n1\n[]\n'],
    ['another format', 'countersign/trust-root/v1\nIDENTITY\n1\n{}\n'],
  ])('with %s is malformed, however well it is signed', (_, template) => {
    const text = template.replace('IDENTITY', world.identity)
    const lines = world.keys.authorities.map((one) =>
      noteSigner(authorityName(world.identity), one).sign(text),
    )
    expect(opened(world, formatNote(text, lines))).toMatch(/malformed|decimal-invalid|json-not-canonical/)
  })
})

interface Seat {
  readonly memory: Memory
  readonly events: HostEvent[]
  served: string | undefined
  reachable: boolean
  open(change?: Partial<HostOptions>): Promise<Host>
}

/** Hosts of one memory that go by what the registry serves. */
function seat(world: World): Seat {
  const memory = memoryInProcess()
  const events: HostEvent[] = []
  const self: Seat = {
    memory,
    events,
    served: undefined,
    reachable: true,
    open: (change = {}) =>
      openHost({
        registry: world.api({ fetchHostPolicy: () => fetchPolicy(self) }),
        trust: world.trust,
        memory,
        policySource: 'registry',
        now: () => world.clock * 1000,
        onEvent: (event) => events.push(event),
        ...change,
      }),
  }
  return self
}

function fetchPolicy({ served, reachable }: Seat): Promise<string | undefined> {
  const gone = new CountersignError('registry-unreachable', 'gone')
  return reachable ? Promise.resolve(served) : Promise.reject(gone)
}

const refusals = ({ events }: Seat): string[] =>
  events.flatMap((event) => (event.type === 'policy-refused' ? [event.code] : []))

/** A host whose policy came from a stolen authority; the root has since named another one. */
async function afterTheft() {
  const world = openWorld({ authorities: 1 })
  const at = seat(world)
  at.served = policyNote(world, 999_999, OBSERVE)
  const host = await at.open()
  const next = signerNamed('another authority')
  world.signRoot(2, { authorities: { keys: [encodeKeyX(next.publicKey)], threshold: 1 } })
  world.announceRoot(2)
  return { world, at, host, next }
}

describe('a host that goes by the policy of its registry', () => {
  it('applies what is signed, and follows newer versions with each refresh', async () => {
    const world = openWorld({ authorities: 1 })
    const at = seat(world)
    at.served = policyNote(world, 1)
    const host = await at.open()
    expect(host.policy).toMatchObject({ mode: 'observe', unknownServers: 'pin' })
    at.served = policyNote(world, 2, BLOCKING)
    await host.refresh()
    expect(host.policy).toMatchObject({ mode: 'enforce', managed: true, unknownServers: 'block' })
    const review = await host.review({ slot: 'npx unknown', tools: [tool('anything')] })
    expect([review.verdict, review.allowed]).toEqual(['unknown-server', []])
    expect(at.events.filter(({ type }) => type === 'policy-changed')).toHaveLength(2)
  })

  it.each([
    ['unsigned', () => JSON.stringify(OBSERVE), 'signature-invalid'],
    [
      'signed by a stranger',
      (world: World) => policyNote(world, 9, OBSERVE, { by: [signerNamed('anybody')] }),
      'signature-invalid',
    ],
    [
      'for another registry',
      (world: World) => policyNote(world, 9, OBSERVE, { identity: 'registry-other' }),
      'registry-mismatch',
    ],
    [
      'with a member it does not know',
      (world: World) => policyNote(world, 9, { ...OBSERVE, allow: true }),
      'policy-malformed',
    ],
    ['an older version', (world: World) => policyNote(world, 1, OBSERVE), 'rollback'],
    ['another policy of the same version', (world: World) => policyNote(world, 2, OBSERVE), 'rollback'],
  ])('%s: refused, and what was in force stays', async (_, bad, code) => {
    const world = openWorld({ authorities: 1 })
    const at = seat(world)
    at.served = policyNote(world, 2, BLOCKING)
    const host = await at.open()
    at.served = bad(world)
    await host.refresh()
    expect([host.policy.mode, refusals(at)]).toEqual(['enforce', [code]])
    // Nor does a restart forget it.
    const again = await at.open()
    expect([again.policy.mode, again.policy.managed]).toEqual(['enforce', true])
  })

  it('offline and taken away, the remembered one stays in force', async () => {
    const world = openWorld({ authorities: 1 })
    const at = seat(world)
    at.served = policyNote(world, 2, BLOCKING)
    await at.open()
    at.served = undefined
    expect((await at.open()).policy.managed).toBe(true)
    at.reachable = false
    expect((await at.open()).policy.managed).toBe(true)
  })

  it('opens with none in force not at all', async () => {
    const world = openWorld({ authorities: 1 })
    const at = seat(world)
    expect(await codeOfAsync(() => at.open())).toBe('policy-denied')
    at.served = JSON.stringify(OBSERVE)
    expect(await codeOfAsync(() => at.open())).toBe('signature-invalid')
    at.reachable = false
    expect(await codeOfAsync(() => at.open())).toBe('registry-unreachable')
    expect(await codeOfAsync(() => at.open({ policy: DEFAULT_HOST_POLICY }))).toBe('usage')
  })

  it('a stolen authority ends with the root that names others: its version raises no floor', async () => {
    const { world, at, host, next } = await afterTheft()
    at.served = policyNote(world, 1, BLOCKING, { by: [next] })
    await host.refresh()
    expect(host.policy.managed).toBe(true)
    expect((await at.open()).policy.managed).toBe(true)
  })

  it('a stolen authority ends with that root also where the registry shows no other policy', async () => {
    const { world, at, host, next } = await afterTheft()
    await host.refresh()
    expect(host.policy).toMatchObject({ mode: 'enforce', unknownServers: 'block' })
    const review = await host.review({ slot: 'npx unknown', tools: [tool('anything')] })
    expect([review.verdict, review.mode, review.allowed]).toEqual(['unknown-server', 'enforce', []])
    expect(refusals(at)).toContain('signature-invalid')
    at.served = policyNote(world, 1, OBSERVE, { by: [next] })
    await host.refresh()
    expect(host.policy.mode).toBe('observe')
  })

  it('two processes of one memory agree on the newest', async () => {
    const world = openWorld({ authorities: 1 })
    const at = seat(world)
    at.served = policyNote(world, 1)
    const [a, b] = [await at.open(), await at.open()]
    at.served = policyNote(world, 2, BLOCKING)
    await a.refresh()
    at.served = policyNote(world, 1)
    await b.refresh()
    expect([a.policy.managed, b.policy.managed, refusals(at)]).toEqual([true, true, ['rollback']])
  })
})

describe('refresh numbers of a policy', () => {
  const numbers = { refreshSeconds: 60, maxSeconds: 600 }

  async function opened(change: object) {
    const world = openWorld()
    let asked = 0
    let reachable = true
    const fetchStatus = (): Promise<Uint8Array> => {
      asked += 1
      const gone = new CountersignError('registry-unreachable', 'gone')
      return reachable ? Promise.resolve(world.statusBytes()) : Promise.reject(gone)
    }
    const registry = world.api({ fetchStatus })
    const host = await world.host({ registry, policy: { ...DEFAULT_HOST_POLICY, ...change } })
    await host.refresh()
    return { world, host, asked: () => asked, end: () => (reachable = false) }
  }

  it('the registry is asked again after fewer seconds', async () => {
    for (const [change, due] of [[numbers, 2] as const, [{}, 1] as const]) {
      const { world, host, asked } = await opened(change)
      world.wait(61)
      await host.freshness()
      expect(asked()).toBe(due)
    }
  })

  it('its word ends sooner; twin: not without a policy, and never later than the trust root says', async () => {
    for (const [change, status] of [
      [numbers, 'stale'],
      [{}, 'ok'],
    ] as const) {
      const { world, host, end } = await opened(change)
      end()
      world.wait(700)
      expect((await host.freshness()).status).toBe(status)
    }
    const { world, host, end } = await opened({ maxSeconds: 10_000_000 })
    end()
    world.wait(86_400 + 60)
    expect(await host.freshness()).toMatchObject({ status: 'stale', maxSeconds: 86_400 })
  })
})
