import { describe, expect, it } from 'vitest'
import {
  encodeBase64,
  encodeKeyX,
  formatEvent,
  formatRevocationLine,
  requestKeyAddEvent,
  revocationRoot,
  signEvent,
  signKeyAddEvent,
  signKeyRevokeEvent,
  signNamespaceEvent,
  sortRevocations,
  utf8Bytes,
  type ApproveEvent,
  type DecisionEvent,
  type Digest,
  type KeyEvent,
  type KeyRevokeEvent,
  type LogEvent,
  type PublishEvent,
  type Signer,
} from 'countersign/core'
import { openReplay } from '../../client/src/cli/log/replay.js'
import { stands, type RootPeople } from '../../client/src/cli/log/replay-state.js'
import { newKey } from '../support/registry.js'

// What a registry, or a thief of an own key, could write into the log about keys, replayed by a monitor.

const REGISTRY = 'registry-test'
const NAMESPACE = 'com.example'
const ROOT = `sha256:${'1'.repeat(64)}` as const
const digestOf = (digit: string): Digest => `sha256:${digit.repeat(64)}`

const [first, honest, signs, thief, thiefSigns] = [newKey(), newKey(), newKey(), newKey(), newKey()]
const people = [newKey(), newKey(), newKey()]
const AUTHORITIES: RootPeople = {
  authorities: { keys: people.map(({ publicKey }) => encodeKeyX(publicKey)), threshold: 2 },
}

/** A log under construction: events one after the other, and a snapshot that says which lines there are. */
class Log {
  readonly #people: RootPeople
  readonly #events: LogEvent[] = [{ v: 1, t: 'root', version: 1, digest: ROOT }]

  constructor(named: RootPeople = {}) {
    this.#people = named
    const event = signNamespaceEvent({ namespace: NAMESPACE, proof: 'admin', account: 'a' }, REGISTRY, first)
    this.put(named.authorities === undefined ? event : { ...event, sigs: sigsOf(event, people.slice(0, 2)) })
  }

  get last(): number {
    return this.#events.findLastIndex((event) => 'namespace' in event)
  }

  get size(): number {
    return this.#events.length
  }

  put(event: LogEvent): number {
    return this.#events.push(event) - 1
  }

  add(key: Signer, role: 'own' | 'sign', by: Signer): number {
    return this.put(signKeyAddEvent({ namespace: NAMESPACE, role, after: this.last }, REGISTRY, key, by))
  }

  end(key: Signer, by: Signer, invalidFrom?: number): number {
    return this.put(signKeyRevokeEvent(this.ending(key, invalidFrom), REGISTRY, by))
  }

  ending({ kid }: Signer, invalidFrom?: number): Omit<KeyRevokeEvent, 'sig' | 'sigs'> {
    const from = invalidFrom === undefined ? {} : { invalidFrom }
    return {
      v: 1,
      t: 'key.revoke',
      namespace: NAMESPACE,
      kid,
      reason: 'compromise',
      after: this.last,
      ...from,
    }
  }

  publish(key: Signer, digit: string): PublishEvent {
    const version = `1.0.${this.#events.length}`
    const about = { server: `${NAMESPACE}/a`, version, role: 'publisher', kid: key.kid } as const
    const event = {
      v: 1,
      t: 'publish',
      ...about,
      manifest: digestOf(digit),
      envelope: digestOf(digit),
    } as const
    this.put(event)
    return event
  }

  /** Codes of the lies a monitor finds when the snapshot says these lines, and which publications stand. */
  replay(lines: readonly (readonly [Signer, number])[], others: readonly string[] = []) {
    const run = openReplay(REGISTRY, new Map([[1, ROOT]]), new Map([[1, this.#people]]))
    const ended = lines.map(([{ kid }, invalidFrom]) => lineOf(kid, invalidFrom))
    const texts = sortRevocations([...ended, ...others])
    const revocations = encodeBase64(revocationRoot(texts))
    const asOf = this.#events.length
    const snapshot = { v: 1, t: 'snapshot', asOf, revocations, count: texts.length, rootVersion: 1 } as const
    for (const event of [...this.#events, snapshot]) run.add(utf8Bytes(formatEvent(event)))
    const standing = [...run.state.published].filter(([, all]) => all.some((one) => stands(run.state, one)))
    return { lies: run.finish().lies.map(({ code }) => code), standing: standing.map(([digest]) => digest) }
  }
}

const lineOf = (kid: string, invalidFrom: number): string =>
  formatRevocationLine({ kind: 'key', namespace: NAMESPACE, kid, invalidFrom })
const sigsOf = (event: Parameters<typeof signEvent>[0], by: readonly Signer[]): string[] =>
  by.map((signer) => signEvent(event, REGISTRY, signer))

/** An own key is stolen at `stolen`; it brings in a key that brings in one that signs. */
function theft() {
  const log = new Log()
  const own = log.add(honest, 'own', first)
  log.add(signs, 'sign', honest)
  const good = log.publish(signs, 'a')
  const stolen = log.add(thief, 'own', first)
  const second = log.add(thiefSigns, 'sign', thief)
  const bad = log.publish(thiefSigns, 'b')
  return { log, own, good, stolen, second, bad }
}

describe('A35 a thief of an own key', () => {
  it('loses two levels of keys with it, and takes no honest one along', () => {
    const { log, stolen, second, good } = theft()
    log.end(first, first, stolen)
    expect(
      log.replay([
        [first, stolen],
        [thief, stolen],
        [thiefSigns, second],
      ]),
    ).toEqual({
      lies: [],
      standing: [good.manifest],
    })
  })

  it('ends an honest key from now on, and voids nothing that it signed or endorsed', () => {
    const { log, good, bad } = theft()
    const ended = log.end(honest, thief)
    expect(log.replay([[honest, ended]])).toEqual({ lies: [], standing: [good.manifest, bad.manifest] })
  })

  it('cannot end another key in the past', () => {
    const { log, own, good, bad } = theft()
    log.end(honest, thief, own)
    expect(log.replay([])).toEqual({ lies: ['event-invalid'], standing: [good.manifest, bad.manifest] })
  })

  it('cannot end its victim’s key a second time, or move an end forward', () => {
    const { log, stolen, second } = theft()
    log.end(first, first, stolen)
    log.end(first, honest)
    log.end(first, first, stolen + 1)
    const { lies } = log.replay([
      [first, stolen],
      [thief, stolen],
      [thiefSigns, second],
    ])
    expect(lies).toEqual(['key-revoked', 'key-revoked'])
  })

  it('cannot endorse with a voided key', () => {
    const { log, stolen, second } = theft()
    log.end(first, first, stolen)
    log.add(newKey(), 'sign', thief)
    const { lies } = log.replay([
      [first, stolen],
      [thief, stolen],
      [thiefSigns, second],
    ])
    expect(lies).toEqual(['key-unknown'])
  })
})

describe('A35 a registry', () => {
  it.each<[string, (t: ReturnType<typeof theft>) => readonly (readonly [Signer, number])[]]>([
    ['forgets the keys that fell with the first', ({ stolen }) => [[first, stolen]]],
    [
      'forgets the second level',
      ({ stolen }) => [
        [first, stolen],
        [thief, stolen],
      ],
    ],
    [
      'keeps the later line beside the earlier',
      ({ stolen, second }) => [
        ...([
          [first, stolen],
          [first, stolen + 1],
          [thief, stolen],
          [thiefSigns, second],
        ] as const),
      ],
    ],
    [
      'adds an honest key to them',
      ({ stolen, second, own }) => [
        ...([
          [first, stolen],
          [thief, stolen],
          [thiefSigns, second],
          [honest, own],
        ] as const),
      ],
    ],
    [
      'ends a fallen key too late',
      ({ stolen, second }) => [
        ...([
          [first, stolen],
          [thief, stolen + 1],
          [thiefSigns, second],
        ] as const),
      ],
    ],
  ])('that %s is found', (_, lines) => {
    const scene = theft()
    scene.log.end(first, first, scene.stolen)
    expect(scene.log.replay(lines(scene)).lies).toEqual(['snapshot-malformed'])
  })

  it('moves an end back in a second event, and its lines with it', () => {
    const { log, stolen, second } = theft()
    log.end(first, honest)
    log.end(first, first, stolen)
    expect(
      log.replay([
        [first, stolen],
        [thief, stolen],
        [thiefSigns, second],
      ]).lies,
    ).toEqual([])
  })
})

describe('A35 authorities', () => {
  const given = newKey()
  const request = (log: Log) =>
    requestKeyAddEvent({ namespace: NAMESPACE, role: 'own', after: log.last }, REGISTRY, given)
  const lies = (named: RootPeople, act: (log: Log) => KeyEvent): string[] => {
    const log = new Log(named)
    log.put(act(log))
    return log.replay([]).lies
  }
  const give = (by: readonly Signer[]) => (log: Log) => ({ ...request(log), sigs: sigsOf(request(log), by) })

  it('give a key by their threshold; fewer, strangers and one of them twice do not', () => {
    expect(lies(AUTHORITIES, give(people.slice(1)))).toEqual([])
    expect(lies(AUTHORITIES, give(people.slice(2)))).toEqual(['signature-invalid'])
    expect(lies(AUTHORITIES, give([people[0]!, people[0]!]))).toEqual(['signature-invalid'])
    expect(lies(AUTHORITIES, give([newKey(), newKey()]))).toEqual(['signature-invalid'])
  })

  it('are nobody where the root names none', () => {
    expect(lies({}, give(people))).toEqual(['signature-invalid'])
  })

  it('end a key in the past, and what it endorsed since', () => {
    const log = new Log(AUTHORITIES)
    const added = log.add(thief, 'own', first)
    const second = log.add(thiefSigns, 'sign', thief)
    const event = log.ending(thief, added + 1)
    log.put({ ...event, sigs: sigsOf(event, people.slice(0, 2)) })
    expect(
      log.replay([
        [thief, added + 1],
        [thiefSigns, second],
      ]).lies,
    ).toEqual([])
  })

  it('must have signed a namespace’s first event', () => {
    const log = new Log()
    const elsewhere = openReplay(REGISTRY, new Map([[1, ROOT]]), new Map([[1, AUTHORITIES]]))
    const event = signNamespaceEvent({ namespace: NAMESPACE, proof: 'admin', account: 'a' }, REGISTRY, first)
    for (const leaf of [{ v: 1, t: 'root', version: 1, digest: ROOT } as const, event]) {
      elsewhere.add(utf8Bytes(formatEvent(leaf)))
    }
    expect(elsewhere.finish().lies.map(({ code }) => code)).toEqual([
      'signature-invalid',
      'snapshot-malformed',
    ])
    expect(log.replay([]).lies).toEqual([])
  })
})

describe('A35 an approval replayed after an undo', () => {
  const approvers = [newKey(), newKey()]
  const APPROVERS: RootPeople = {
    approvers: { keys: approvers.map(({ publicKey }) => encodeKeyX(publicKey)), threshold: 2 },
  }

  /** A publication, and its approval as the approvers signed it at that moment. */
  function approved() {
    const log = new Log(APPROVERS)
    log.add(signs, 'sign', first)
    const published = log.publish(signs, 'a')
    const { server, version, manifest } = published
    const at = log.size - 1
    const about = { server, version, manifest, policy: digestOf('c'), deciders: ['a'] }
    const approve = (after: number, by = approvers): ApproveEvent => {
      const event = { v: 1, t: 'approve', ...about, after } as const
      return { ...event, sigs: sigsOf(event, by) }
    }
    const decide = (t: DecisionEvent['t'], after: number, deciders = ['a']): DecisionEvent => ({
      ...{ v: 1, t, target: 'manifest', digest: manifest, reason: 'r', deciders, after },
    })
    return { log, at, approve, decide }
  }

  it('is found, though every signature holds: its `after` is not the latest', () => {
    const { log, at, approve, decide } = approved()
    log.put(decide('reject', at))
    log.put(approve(at))
    expect(log.replay([]).lies).toEqual(['event-invalid'])
  })

  it('is found with its `after` brought up to date: nobody signed that', () => {
    const { log, at, approve, decide } = approved()
    const rejected = log.put(decide('reject', at))
    log.put({ ...approve(at), after: rejected })
    expect(log.replay([]).lies).toEqual(['signature-invalid'])
  })

  it('twin: signed anew for the latest event it is an approval', () => {
    const { log, at, approve, decide } = approved()
    log.put(approve(log.put(decide('reject', at))))
    expect(log.replay([]).lies).toEqual([])
  })

  it('a reinstatement is replayed no better: after a second revocation it is one of the first', () => {
    const { log, at, approve, decide } = approved()
    const revoked = log.put(decide('revoke', log.put(approve(at))))
    const back = decide('reinstate', revoked, ['a', 'b'])
    const reinstated = { ...back, sigs: sigsOf(back, approvers) }
    log.put(decide('revoke', log.put(reinstated)))
    log.put(reinstated)
    const line = `manifest\0${digestOf('a')}`
    expect(log.replay([], [line]).lies).toEqual(['event-invalid'])
  })
})
