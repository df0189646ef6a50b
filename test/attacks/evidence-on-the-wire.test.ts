import { describe, expect, it } from 'vitest'
import {
  attackWorld,
  draft,
  eventsOf,
  type AttackWorld,
  type ConnectOptions,
} from '../support/attack-world.js'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { forgeAddition, forgeSignature, type Claims } from '../support/forged.js'
import { POISON, signedTools, WIRES } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { openWorld, signerNamed, type Draft, type Published, type World } from '../support/world.js'

// The server lists exactly what the evidence names: all that stands between the two and the host is the evidence itself.

const HOSTILE = withTool('now', (tool) => (tool['description'] = POISON))
const hostile = (change: Partial<Draft> = {}): Draft =>
  draft('2.0.0', { tools: signedTools(HOSTILE), ...change })
const attacker = signerNamed('attacker')

/** A registry that knows of one release alone, and proves it so. */
interface Shown {
  readonly it: AttackWorld
  readonly released: Published
  /** Shown in place of the one it was logged with. */
  readonly envelope?: string
}

function connectOptions({ it: { world }, released, envelope }: Shown): ConnectOptions {
  const registry = world.api({
    fetchVersions: async () => [world.summary(released)],
    fetchBundle: async () => world.bundleBytes(released, { ...(envelope !== undefined && { envelope }) }),
  })
  return { host: { registry } }
}

/** A hostile release by the publisher and the registry, but for what is told. */
function released(it: AttackWorld, how: How = {}): Shown {
  const { world, acme } = it
  const published = world.publish(acme, hostile(how.draft), how.publish)
  return { it, released: world.approve(published, how.approval, how.approvers) }
}

interface How {
  readonly draft?: Partial<Draft>
  readonly publish?: Parameters<World['publish']>[2]
  readonly approval?: Parameters<World['approve']>[1]
  readonly approvers?: Parameters<World['approve']>[2]
}

/** The registry logs a key of the attacker, endorsed as claimed, and a release under it. */
function underKey(it: AttackWorld, sig: Claims['sig']): Shown {
  const after = it.world.latestAbout(it.acme.namespace)
  const claims = { after, pop: [attacker, attacker.kid], sig } as const
  it.world.append(forgeAddition(it.world, attacker, claims))
  return released(it, { publish: { by: attacker } })
}

/** The publisher's key is revoked; what was released before stays. */
function keyEnds(): AttackWorld {
  const it = attackWorld()
  it.world.revokeKey(it.acme, it.acme.sign.kid)
  return it
}

/** The root names approvers, who approved the first version. */
const approvedByPeople = (): AttackWorld => attackWorld({}, { approvers: 2 })
const operators = [signerNamed('operator'), signerNamed('operator 2')]

const ATTACKS: readonly (readonly [name: string, code: string, stage: () => Shown])[] = [
  [
    "A21 another server's signature",
    'namespace-mismatch',
    () => released(attackWorld(), { draft: { server: 'com.acme/notes' } }),
  ],
  [
    'A21 a signature made for another registry',
    'registry-mismatch',
    () => released(attackWorld(), { publish: { registry: openWorld({ name: 'other' }).identity } }),
  ],
  [
    'A21 a stripped signature',
    'signature-invalid',
    () => {
      const shown = released(attackWorld())
      return { ...shown, envelope: shown.released.envelope.replace(/[^.]+$/, '') }
    },
  ],
  ['A23 a key that was revoked before it signed', 'key-revoked', () => released(keyEnds())],
  [
    "A23 a signature by another key under the publisher's",
    'signature-invalid',
    () => released(attackWorld(), { publish: { forge: (envelope) => forgeSignature(envelope, attacker) } }),
  ],
  [
    'A27 an approval by the operator in place of the approvers',
    'signature-invalid',
    () => released(approvedByPeople(), { approvers: [] }),
  ],
  [
    'A27 an approval by keys of the operator in place of theirs',
    'signature-invalid',
    () => released(approvedByPeople(), { approvers: operators }),
  ],
  [
    'A27 a key that the operator added by itself',
    'key-unknown',
    () => underKey(approvedByPeople(), [attacker, attacker.kid]),
  ],
  [
    "A35 an endorsement by another key under the owner's",
    'signature-invalid',
    () => {
      const it = attackWorld()
      return underKey(it, [attacker, it.acme.own.kid])
    },
  ],
  [
    'A35 an approval from before the publication',
    'proof-invalid',
    () => released(attackWorld(), { approval: { after: 0 } }),
  ],
]

/** Each begins with an honest first version. */
const TWINS: readonly (readonly [name: string, stage: () => Shown])[] = [
  [
    'A21 the evidence where it belongs, beside another server of the same tools',
    () => {
      const it = attackWorld()
      it.release('1.0.0', { server: 'com.acme/notes' })
      return { it, released: it.v1 }
    },
  ],
  [
    'A23 what a key signed before it was revoked',
    () => {
      const it = keyEnds()
      return { it, released: it.v1 }
    },
  ],
  [
    'A27 an approval by the approvers',
    () => {
      const it = approvedByPeople()
      return { it, released: it.v1 }
    },
  ],
  [
    'A35 a key that the owner endorsed',
    () => {
      const it = attackWorld()
      const next = signerNamed('next')
      it.world.addKey(it.acme, 'sign', next)
      return { it, released: it.world.approve(it.world.publish(it.acme, draft('1.1.0'), { by: next })) }
    },
  ],
]

describe.each(WIRES)('evidence (%s)', (wire) => {
  it.each(ATTACKS)('%s: %s', async (_, code, stage) => {
    const shown = stage()
    const server = hostileServer(toolPages(HOSTILE))
    const guarded = await shown.it.connect(wire, server, connectOptions(shown))
    expect(await guarded.toolNames()).toEqual([])
    const names = [shown.it.v1.server, ...benignNames()]
    expect(guarded.withheld()).toEqual(Object.fromEntries(names.map((name) => [name, code])))
    expect(await guarded.call('now')).toBe(-32602)
    expect(eventsOf(guarded, 'call-refused')).toMatchObject([{ tool: 'now', code }])
    expect(server.called()).toEqual([])
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('A21 a tool of one version among those of another: version-mismatch', async () => {
    const it = attackWorld({ tools: signedTools(HOSTILE) })
    it.release('3.0.0', {})
    const server = hostileServer(toolPages(HOSTILE))
    const guarded = await it.connect(wire, server, { guard: { version: '3.0.0' } })
    expect(await guarded.toolNames()).toEqual(benignNames().filter((name) => name !== 'now'))
    expect(guarded.withheld()).toEqual({ now: 'version-mismatch' })
    expect(await guarded.call('now')).toBe(-32602)
    expect(server.called()).toEqual([])
    expect(guarded.heard()).not.toContain(POISON)
  })

  it.each(TWINS)('twin: %s', async (_, stage) => {
    const shown = stage()
    const server = hostileServer(toolPages(BENIGN_TOOLS))
    const guarded = await shown.it.connect(wire, server, connectOptions(shown))
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(guarded.withheld()).toEqual({})
    expect(await guarded.call('now')).toBe('done')
    expect(server.called()).toEqual(['now'])
  })
})
