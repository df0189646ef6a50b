import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pino } from 'pino'
import {
  formatVerifierKey,
  noteSigner,
  openTrustRoot,
  parseTrustRoot,
  randomBytes,
  signerFromSeed,
  type NoteSigner,
  type TrustRoot,
} from 'countersign/core'
import { assertFirstRoot, bodyOf, openNextRoot, signRoot, vkeyOf } from '../../src/log/root.js'
import { openRenewal } from '../../src/registry/renewal.js'
import { startLedger, type LedgerFixture } from '../support/ledger.js'

const DAY = 86_400_000
const STARTED = Date.now()

let fixture: LedgerFixture
let first: TrustRoot
beforeAll(async () => {
  fixture = await startLedger(undefined, { now: () => STARTED })
  first = fixture.ledger.trustRoot()
})
afterAll(() => fixture.remove())

interface Looked {
  readonly published: string[]
  /** Levels of what was logged. */
  readonly levels: number[]
}

/** One look at this root, so many days after the registry started. */
async function look(
  root: TrustRoot,
  days: number,
  rootKey: NoteSigner | undefined,
  publish?: () => Promise<never>,
): Promise<Looked> {
  const looked: Looked = { published: [], levels: [] }
  const write = (line: string): void => void looked.levels.push((JSON.parse(line) as { level: number }).level)
  const renewal = openRenewal({
    ...{ rootKey, now: () => STARTED + days * DAY, log: pino({ level: 'info' }, { write }) },
    ledger: {
      trustRoot: () => root,
      publishRoot: (note) => {
        looked.published.push(note)
        const { version } = openNextRoot(note, root, STARTED + days * DAY)
        const logged = { index: 7, size: 9, published: true, version, digest: 'sha256:' } as never
        return publish?.() ?? Promise.resolve(logged)
      },
    },
  })
  await renewal.close()
  return looked
}

const [INFO, WARN, ERROR] = [30, 40, 50]

describe('a root whose one key is at hand', () => {
  it.each([
    [0, [], 0],
    [304, [], 0],
    [306, [INFO], 0],
    [334, [INFO], 0],
    [336, [INFO], 1],
    [364, [INFO], 1],
    [400, [INFO], 1],
  ])('after %d days', async (days, levels, renewals) => {
    const looked = await look(first, days, fixture.keys.root)
    expect([looked.levels, looked.published.length]).toEqual([levels, renewals])
    for (const note of looked.published) {
      const next = openTrustRoot(note, first)
      expect(next).toMatchObject({ version: 2, expiresAt: Math.floor((STARTED + (days + 365) * DAY) / 1000) })
      expect({ ...bodyOf(next), expires: '' }).toEqual({ ...bodyOf(first), expires: '' })
    }
  })

  it('is told when it fails, and tries again', async () => {
    const looked = await look(first, 340, fixture.keys.root, () =>
      Promise.reject(new Error('the disk is full')),
    )
    expect(looked.levels).toEqual([ERROR])
  })

  it('renews itself in the log', async () => {
    const later = STARTED + 340 * DAY
    const again = await startLedger(undefined, { now: () => STARTED })
    await again.stop()
    const aged = await startLedger(again.folder, { now: () => later })
    const { ledger, keys } = aged
    const renewal = openRenewal({
      ledger,
      rootKey: keys.root,
      now: () => later,
      log: pino({ level: 'silent' }),
    })
    await renewal.check()
    await renewal.check()
    await renewal.close()
    expect(ledger.trustRoot()).toMatchObject({
      version: 2,
      expiresAt: Math.floor((later + 365 * DAY) / 1000),
    })
    expect(ledger.rootNote(1)).toBeDefined()
    await aged.remove()
  })
})

describe('a root that needs other people', () => {
  const other = noteSigner('example.com/root-2', signerFromSeed(randomBytes(32)))

  /** The next version, with these keys, signed by all of them. */
  const rooted = (rootKeys: readonly NoteSigner[], threshold: number): TrustRoot => {
    const body = { ...bodyOf(first), rootKeys: rootKeys.map(({ key }) => vkeyOf(key)), threshold }
    const signers = [...new Set([...rootKeys, fixture.keys.root!])]
    return parseTrustRoot(signRoot({ identity: first.identity, version: 2, body }, signers))
  }

  it('warns from 60 days on, and says so when it has expired', async () => {
    const own = fixture.keys.root!
    for (const [root, key] of [
      [first, undefined],
      [rooted([own, other], 2), own],
      [rooted([other], 1), own],
    ] as const) {
      expect(await look(root, 300, key)).toEqual({ published: [], levels: [] })
      expect(await look(root, 306, key)).toEqual({ published: [], levels: [WARN] })
      expect(await look(root, 364, key)).toEqual({ published: [], levels: [WARN] })
      expect(await look(root, 366, key)).toEqual({ published: [], levels: [ERROR] })
    }
  })

  it('renews itself where any one of several keys is enough', async () => {
    const root = rooted([fixture.keys.root!, other], 1)
    expect((await look(root, 340, fixture.keys.root)).published).toHaveLength(1)
  })

  it('does not take a key of the same name for its own', async () => {
    const { name } = fixture.keys.root!
    const impostor = noteSigner(name, signerFromSeed(randomBytes(32)))
    expect((await look(first, 340, impostor)).published).toEqual([])
  })
})

describe('an expired root', () => {
  it('is refused as the next one', () => {
    const body = { ...bodyOf(first), expires: '2027-01-01T00:00:00Z' }
    const next = signRoot({ identity: first.identity, version: 2, body }, [fixture.keys.root!])
    expect(openNextRoot(next, first, Date.parse('2026-12-31T00:00:00Z')).version).toBe(2)
    expect(() => openNextRoot(next, first, Date.parse('2027-01-01T00:00:00Z'))).toThrow(
      expect.objectContaining({ code: 'root-invalid', detail: { reason: 'root-expired' } }) as Error,
    )
  })
})

describe('what the settings say of the root', () => {
  const witness = formatVerifierKey('witness.example/w1', 4, signerFromSeed(randomBytes(32)).publicKey)
  const policy = `witness w1 ${witness}\nquorum w1\n`

  it('is what the first or the newest root says', () => {
    const body = { ...bodyOf(first), policy }
    const next = signRoot({ identity: first.identity, version: 2, body }, [fixture.keys.root!])
    assertFirstRoot(first.note, {})
    assertFirstRoot(first.note, { policy: first.policy })
    assertFirstRoot(first.note, { policy }, next)
    const other = expect.objectContaining({ code: 'identity-mismatch', detail: { role: 'policy' } }) as Error
    expect(() => assertFirstRoot(first.note, { policy })).toThrow(other)
    const people = { approvers: { keys: ['x'], threshold: 1 } }
    expect(() => assertFirstRoot(first.note, people, next)).toThrow(
      expect.objectContaining({ code: 'identity-mismatch', detail: { role: 'approvers' } }) as Error,
    )
  })
})
