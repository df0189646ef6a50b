import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  formatNote,
  openCheckpoint,
  parseNote,
  parsePolicy,
  quorumTime,
  utf8Bytes,
  type QuorumPolicy,
} from 'countersign/core'
import { LedgerFatal } from '../../src/log/errors.js'
import { openWitnesses, type WitnessesOptions } from '../../src/log/witness/open-witnesses.js'
import type { CommittedTree, Witnessed, Witnesses } from '../../src/log/witness/witnesses.js'
import { openOutside } from '../../src/net/open-outside.js'
import type { Outside } from '../../src/net/outside.js'
import {
  after,
  breaks,
  dribbles,
  hangs,
  knows,
  policyOf,
  returns,
  says,
  startFakeWitness,
  type FakeWitness,
  type Step,
} from '../support/witness.js'
import { plainLog } from '../support/witness-log.js'

const ours = plainLog()
const LATER = 600_000

let witnesses: FakeWitness[]
let errors: unknown[]
beforeEach(async () => {
  witnesses = await Promise.all(['w1', 'w2', 'w3'].map((name) => startFakeWitness(name, ours.vkey)))
  errors = []
})
afterEach(async () => {
  await Promise.all(witnesses.map((witness) => witness.close()))
})

const open = (change: Partial<WitnessesOptions> = {}): Witnesses =>
  openWitnesses({
    outside: openOutside(),
    log: ours.pinned,
    readProof: (from, to) => ours.readProof(from, to),
    readCommitted: async () => ours.tree(5),
    timeoutMs: 20_000,
    logger: { error: (detail: unknown) => void errors.push(detail) },
    now: Date.now,
    ...change,
  })
const policy = (...lines: string[]): QuorumPolicy => parsePolicy(policyOf(witnesses, ...lines))
const only = (witness: FakeWitness): QuorumPolicy =>
  parsePolicy(policyOf([witness], `quorum ${witness.name}`))
const codes = ({ failures }: Witnessed) => failures.map(({ witness, code }) => `${witness} ${code}`)
const names = ({ cosignatures }: Witnessed) => cosignatures.map(({ key }) => key.name)
const whole = ({ note }: CommittedTree, { lines }: Witnessed) =>
  formatNote(parseNote(note).text, [...parseNote(note).signatures.map(({ line }) => line), ...lines])
const [ALL, TWO] = [
  ['group g all w1 w2 w3', 'quorum g'],
  ['group g 2 w1 w2 w3', 'quorum g'],
]

describe('a checkpoint is cosigned', () => {
  it('by every witness of the policy, with lines that a host accepts', async () => {
    const tree = ours.tree(5)
    const witnessed = await open().cosign(tree, policy(...ALL))
    expect(witnessed).toMatchObject({ isQuorum: true, failures: [] })
    expect(names(witnessed)).toEqual(['w1', 'w2', 'w3'])
    const keys = policy(...ALL).witnesses.map(({ key }) => key)
    const { cosignatures } = openCheckpoint(whole(tree, witnessed), ours.pinned, keys)
    expect(quorumTime(policy(...ALL), cosignatures)).toBeDefined()
    expect(cosignatures).toEqual(witnessed.cosignatures)
  })

  it('with a proof from where each of them is', async () => {
    const [w1, w2] = witnesses as [FakeWitness, FakeWitness]
    const desk = open()
    await desk.cosign(ours.tree(5), only(w1))
    await desk.cosign(ours.tree(11), policy(...ALL))
    expect(w1.asked.map(({ old, proof }) => [old, proof.length])).toEqual([
      [0, 0],
      [5, (await ours.readProof(5, 11)).length],
    ])
    expect(w2.asked.map(({ old, proof }) => [old, proof.length])).toEqual([[0, 0]])
    expect(w1.known?.checkpoint.size).toBe(11)
  })

  it('after a restart that forgot where they are: they say it', async () => {
    await open().cosign(ours.tree(5), policy(...ALL))
    expect(await open().cosign(ours.tree(9), policy(...ALL))).toMatchObject({ isQuorum: true, failures: [] })
    expect(witnesses.map(({ asked }) => asked.map(({ old }) => old))).toEqual(Array(3).fill([0, 0, 5]))
  })

  it('after a witness was restored to what it knew before', async () => {
    const [w1] = witnesses as [FakeWitness]
    const desk = open()
    await desk.cosign(ours.tree(5), only(w1))
    const { known } = w1
    await desk.cosign(ours.tree(9), only(w1))
    w1.known = known
    expect(await desk.cosign(ours.tree(10), only(w1))).toMatchObject({ isQuorum: true, failures: [] })
  })

  it('again with a newer time while the tree is unchanged', async () => {
    const desk = open()
    const tree = ours.tree(5)
    const first = await desk.cosign(tree, policy(...ALL))
    const second = await desk.cosign(tree, policy(...ALL))
    expect(witnesses.map(({ asked }) => asked.at(-1)?.old)).toEqual([5, 5, 5])
    const times = ({ cosignatures }: Witnessed) => quorumTime(policy(...ALL), cosignatures) ?? 0
    expect(times(second)).toBeGreaterThan(times(first))
    expect(second.lines).toHaveLength(3)
  })
})

describe('a policy', () => {
  it('without witnesses asks nobody', async () => {
    const none = parsePolicy('quorum none\n')
    expect(await open().cosign(ours.tree(5), none)).toEqual({
      ...{ lines: [], cosignatures: [], isQuorum: true, failures: [] },
    })
  })

  it('that needs none asks those it names all the same', async () => {
    const witnessed = await open().cosign(ours.tree(5), policy('quorum none'))
    expect(witnessed.isQuorum).toBe(true)
    // None of them is waited for: the questions may still be on their way.
    await expect.poll(() => witnesses.map(({ asked }) => asked.length)).toEqual([1, 1, 1])
  })

  it.each<[string, string[], number[], boolean]>([
    ['two of three, one down', TWO, [1], true],
    ['two of three, two down', TWO, [0, 2], false],
    ['all, one down', ALL, [2], false],
    ['any, two down', ['group g any w1 w2 w3', 'quorum g'], [0, 1], true],
    ['one, and another is down', ['quorum w2'], [0], true],
    ['one, and that is down', ['quorum w2'], [1], false],
    ['w1 and any of the rest', ['group r any w2 w3', 'group g all w1 r', 'quorum g'], [2], true],
    ['w1 and any of the rest, w1 down', ['group r any w2 w3', 'group g all w1 r', 'quorum g'], [0], false],
    [
      'w1 and any of the rest, the rest down',
      ['group r any w2 w3', 'group g all w1 r', 'quorum g'],
      [1, 2],
      false,
    ],
  ])('of %s', async (_, lines, down, isQuorum) => {
    for (const i of down) witnesses[i]!.isDown = true
    const witnessed = await open().cosign(ours.tree(5), policy(...lines))
    expect(witnessed.isQuorum).toBe(isQuorum)
    if (!isQuorum) expect(codes(witnessed)).toEqual(down.map((i) => `w${i + 1} unreachable`))
    // Early or not: a line that is there is one of a witness that is.
    for (const name of names(witnessed)) expect(down.map((i) => `w${i + 1}`)).not.toContain(name)
  })

  it('does not count one witness twice, nor one of another policy', async () => {
    const [w1, w2] = witnesses as [FakeWitness, FakeWitness]
    const desk = open()
    w2.isDown = true
    const both = parsePolicy(policyOf([w1, w2], 'group g all w1 w2', 'quorum g'))
    await desk.cosign(ours.tree(5), both)
    const again = await desk.cosign(ours.tree(5), both)
    expect(again).toMatchObject({ isQuorum: false })
    expect(names(again)).toEqual(['w1'])
    w1.isDown = true
    expect(await desk.cosign(ours.tree(5), only(w2))).toMatchObject({ isQuorum: false, lines: [] })
  })
})

const foreign = plainLog('foreign')
const nextLine =
  (make: (line: string) => string): Step =>
  (asked, response, witness) =>
    returns((note) => make(witness.cosign(note)))(asked, response, witness)
/** The same bytes behind another last letter: the bits it adds stand for nothing. */
const withPadBits = (line: string): string => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const [, start = '', last = '', pads = ''] = /^(.*?)([A-Za-z0-9+/])(=+)$/.exec(line) ?? []
  return `${start}${letters[letters.indexOf(last) + 1] ?? ''}${pads}`
}

describe('a witness fails, and that is a value', () => {
  const failing = async (script: Step[], change: Partial<WitnessesOptions> = {}): Promise<string[]> => {
    const [w1] = witnesses as [FakeWitness]
    w1.script.push(...script)
    const witnessed = await open(change).cosign(ours.tree(5), only(w1))
    expect(witnessed).toMatchObject({ isQuorum: false, lines: [], cosignatures: [] })
    return codes(witnessed)
  }

  it.each<[string, Step[]]>([
    ['breaks every connection', [breaks, breaks, breaks]],
    ['has trouble of its own', [says(500), says(503), says(500)]],
    ['asks us to slow down', [says(429), says(429), says(429)]],
  ])('unreachable: it %s, three times', async (_, script) => {
    expect(await failing(script)).toEqual(['w1 unreachable'])
    expect(witnesses[0]!.asked).toHaveLength(3)
  })

  it.each<[string, Step]>([
    ['never answers', hangs],
    ['never ends its answer', dribbles],
  ])('unreachable: it %s', async (_, step) => {
    expect(await failing([step, step, step], { timeoutMs: 200 })).toEqual(['w1 unreachable'])
  })

  it('unreachable: nobody is there, or the policy does not say where', async () => {
    const [w1, w2] = witnesses as [FakeWitness, FakeWitness]
    await w1.close()
    const text = `${w1.policyLine}witness nowhere ${w2.vkey}\ngroup g any w1 nowhere\nquorum g\n`
    const witnessed = await open().cosign(ours.tree(5), parsePolicy(text))
    expect(codes(witnessed)).toEqual(['w1 unreachable', 'nowhere unreachable'])
    expect(w2.asked).toEqual([])
  })

  it.each<[string, string, Step]>([
    ['unknown-log', 'does not know the log', says(404)],
    ['unknown-log', 'does not know its key', says(403)],
    ['refused', 'finds the request bad', says(400)],
    ['refused', 'cosigns what it was not asked for', says(201, 'x\n')],
    ['refused', 'says 409 and means something else', knows(3, 'text/plain')],
    ['refused', 'says 409 without a type', says(409, '3\n')],
    ['refused', 'writes a size in another way', knows('03\n')],
    ['refused', 'writes no line feed after the size', knows('3')],
    ['refused', 'writes two sizes', knows('3\n4\n')],
    ['refused', 'writes a size that is none', knows('-1\n')],
    ['refused', 'writes a size no log has', knows('99999999999999999999\n')],
    ['refused', 'finds the proof wrong, and shows nothing', says(422)],
    ['invalid-cosignature', 'answers with too much', returns(() => 'x'.repeat(65 * 1024))],
    ['invalid-cosignature', 'answers with nothing', returns(() => '')],
    ['invalid-cosignature', 'answers with a page', returns(() => '<html>\n')],
    ['invalid-cosignature', 'leaves out the line feed', nextLine((line) => line)],
    ['invalid-cosignature', 'ends its line in another way', nextLine((line) => `${line}\r\n`)],
    ['invalid-cosignature', 'sets bits that stand for nothing', nextLine((line) => `${withPadBits(line)}\n`)],
    [
      'invalid-cosignature',
      'cosigned another tree',
      returns((_, witness) => `${witness.cosign(foreign.tree(5).note)}\n`),
    ],
    [
      'invalid-cosignature',
      'makes its own text part of what is signed',
      returns((note, witness) => {
        const { text } = parseNote(note)
        return `more

${witness.cosignText(`${text}
more
`)}
`
      }),
    ],
    [
      'invalid-cosignature',
      'hands on the line of somebody else',
      returns((note) => `${witnesses[1]!.cosign(note)}\n`),
    ],
    [
      'invalid-cosignature',
      'hands back the line of the log',
      returns((note) => `${parseNote(note).signatures[0]!.line}\n`),
    ],
    [
      'invalid-cosignature',
      'signs under its name with a key of somebody else',
      returns((note) => `${witnesses[1]!.cosign(note).replace('w2', 'w1')}\n`),
    ],
    [
      'invalid-cosignature',
      'cosigned in the future',
      returns((note, witness) => `${witness.cosign(note, Math.floor(Date.now() / 1000) + 700)}\n`),
    ],
    ['invalid-cosignature', 'sends more lines than a note has', nextLine((line) => `${line}\n`.repeat(65))],
  ])('%s: it %s', async (code, _, step) => {
    expect(await failing([step])).toEqual([`w1 ${code}`])
    expect(witnesses[0]!.asked).toHaveLength(1)
  })

  it('refused: it sends us elsewhere, and we do not go', async () => {
    const location = `${witnesses[1]!.url}/add-checkpoint`
    for (const status of [302, 307, 308]) {
      expect(await failing([says(status, '', { location })])).toEqual(['w1 refused'])
    }
    expect(witnesses[1]!.asked).toEqual([])
  })

  it('conflict: it knows another size each time it is asked', async () => {
    expect(await failing([knows(3), knows(4), knows(2)])).toEqual(['w1 conflict'])
    expect(witnesses[0]!.asked.map(({ old }) => old)).toEqual([0, 3, 4])
  })

  it('conflict: it knows the size we asked at, and says that this is another', async () => {
    expect(await failing([knows(0), knows(0), knows(0)])).toEqual(['w1 conflict'])
  })

  it('unreachable: our own tiles cannot be read', async () => {
    const readProof = () => Promise.reject(new Error('the disk is gone'))
    expect(await failing([knows(3)], { readProof })).toEqual(['w1 unreachable'])
    expect(errors).toHaveLength(1)
  })

  it('and the others count', async () => {
    witnesses[0]!.script.push(nextLine((line) => `${withPadBits(line)}\n`))
    witnesses[1]!.script.push(says(404))
    const witnessed = await open().cosign(ours.tree(5), policy(...ALL))
    expect(names(witnessed)).toEqual(['w3'])
    expect(codes(witnessed)).toEqual(['w1 invalid-cosignature', 'w2 unknown-log'])
    expect(witnessed.isQuorum).toBe(false)
  })
})

describe('an honest witness in a bad moment', () => {
  it.each<[string, Step[]]>([
    ['breaks one connection', [breaks]],
    ['is started again meanwhile', [says(503), breaks]],
    [
      'adds lines of others to its own',
      [nextLine((line) => `${witnesses[1]!.cosign(ours.tree(5).note)}\n${line}\n`)],
    ],
    ['sends its line twice', [nextLine((line) => `${line}\n${line}\n`)]],
    [
      'sends two lines of different times',
      [returns((note, w1) => `${w1.cosign(note)}\n${w1.cosign(note)}\n`)],
    ],
    [
      'has a clock that is ahead a little',
      [returns((note, w1) => `${w1.cosign(note, Math.floor(Date.now() / 1000) + 300)}\n`)],
    ],
    ['names the charset of a size', [knows('0\n', 'Text/X.tlog.size; charset=utf-8')]],
  ])('%s, and its one line counts', async (_, script) => {
    const [w1] = witnesses as [FakeWitness]
    w1.script.push(...script)
    const tree = ours.tree(5)
    const witnessed = await open().cosign(tree, only(w1))
    expect(witnessed).toMatchObject({ isQuorum: true, failures: [] })
    expect(witnessed.lines).toHaveLength(1)
    const { cosignatures } = openCheckpoint(whole(tree, witnessed), ours.pinned, [only(w1).witnesses[0]!.key])
    expect(cosignatures).toEqual(witnessed.cosignatures)
  })

  it('lives below a path', async () => {
    const [w1] = witnesses as [FakeWitness]
    const text = `witness w1 ${w1.vkey} ${w1.url}/\nquorum w1\n`
    expect(await open().cosign(ours.tree(5), parsePolicy(text))).toMatchObject({ isQuorum: true })
  })
})

describe('nobody waits for more than the quorum', () => {
  it('when one never answers', async () => {
    witnesses[1]!.script.push(hangs)
    const witnessed = await open({ timeoutMs: LATER }).cosign(ours.tree(5), policy(...TWO))
    expect(names(witnessed)).toEqual(['w1', 'w3'])
    expect(witnessed).toMatchObject({ isQuorum: true, failures: [] })
  })

  it('and the next tree does not wait for it, either', async () => {
    witnesses[1]!.script.push(hangs)
    const desk = open({ timeoutMs: LATER })
    for (const size of [5, 6, 9]) {
      expect(await desk.cosign(ours.tree(size), policy(...TWO))).toMatchObject({ isQuorum: true })
    }
    await expect.poll(() => witnesses[1]!.asked).toHaveLength(1)
  })

  it('but those that are just behind are heard', async () => {
    const outside = openOutside()
    // w3 answers when everything that w1 set off is done, and before any timer: none ends.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const answers: Outside = {
      ...outside,
      request: async (url) => {
        const witness = witnesses.find((one) => url.startsWith(one.url))!
        if (witness.name === 'w3') await immediate()
        const body = utf8Bytes(`${witness.cosign(ours.tree(5).note)}\n`)
        return { status: 200, headers: {}, body }
      },
    }
    const witnessed = await open({ outside: answers }).cosign(ours.tree(5), policy('quorum w1'))
    expect(names(witnessed)).toEqual(['w1', 'w2', 'w3'])
  })
})

/** Reaches the world as ever, but nothing is too late, and it can be told when all was answered. */
function patient(): { readonly outside: Outside; idle(): Promise<void> } {
  const outside = openOutside()
  const running = new Set<Promise<unknown>>()
  return {
    outside: {
      ...outside,
      request: (url, options) => {
        const answer = outside.request(url, { ...options, timeoutMs: LATER })
        running.add(answer)
        return answer
      },
    },
    idle: async () => {
      await Promise.allSettled(running)
      await immediate()
    },
  }
}

describe('an answer that came too late', () => {
  const lateAnswer = async (tree: CommittedTree): Promise<Witnesses> => {
    const [w1] = witnesses as [FakeWitness]
    const world = patient()
    const desk = open({ timeoutMs: 50, outside: world.outside })
    let release = (): void => undefined
    w1.script.push(after(new Promise<void>((done) => (release = done)), ours.vkey))
    const first = await desk.cosign(tree, only(w1))
    expect(first).toMatchObject({ isQuorum: false, lines: [] })
    expect(codes(first)).toEqual(['w1 unreachable'])
    await expect.poll(() => w1.asked.length).toBe(1)
    w1.isDown = true
    release()
    await world.idle()
    return desk
  }

  it('counts for the same tree, asked again', async () => {
    const [w1] = witnesses as [FakeWitness]
    const desk = await lateAnswer(ours.tree(5))
    expect(await desk.cosign(ours.tree(5), only(w1))).toMatchObject({ isQuorum: true })
    // And once: what was published is asked for again to be newer.
    expect(await desk.cosign(ours.tree(5), only(w1))).toMatchObject({ isQuorum: false, lines: [] })
    expect(w1.asked).toHaveLength(1)
  })

  it('does not count for another tree', async () => {
    const [w1] = witnesses as [FakeWitness]
    const desk = await lateAnswer(ours.tree(5))
    expect(await desk.cosign(ours.tree(6), only(w1))).toMatchObject({ isQuorum: false, lines: [] })
  })
})

describe('two callers at once', () => {
  it('do not take each other for a fork', async () => {
    const desk = open()
    const sizes = [5, 9, 9, 7, 12]
    const results = await Promise.all(sizes.map((size) => desk.cosign(ours.tree(size), policy(...ALL))))
    expect(results.at(-1)).toMatchObject({ isQuorum: true, failures: [] })
    expect(errors).toEqual([])
    expect(witnesses.map(({ known }) => known?.checkpoint.size)).toEqual([12, 12, 12])
  })

  it('nor when the older tree is asked for first, of witnesses that know the newer one', async () => {
    await open().cosign(ours.tree(9), policy(...ALL))
    const desk = open()
    const [older, newer] = await Promise.all(
      [5, 9].map((size) => desk.cosign(ours.tree(size), policy(...ALL))),
    )
    expect(codes(older!)).toEqual(['w1 conflict', 'w2 conflict', 'w3 conflict'])
    expect(newer).toMatchObject({ isQuorum: true, failures: [] })
    expect(errors).toEqual([])
  })

  it('nor does one that comes with an older tree', async () => {
    const desk = open()
    await desk.cosign(ours.tree(9), policy(...ALL))
    const older = await desk.cosign(ours.tree(5), policy(...ALL))
    expect(codes(older)).toEqual(['w1 conflict', 'w2 conflict', 'w3 conflict'])
    expect(errors).toEqual([])
  })
})

describe('a witness knows more than we do', () => {
  const other = plainLog('forged', 3)
  const shows = (witness: FakeWitness, note: string, step: Step): void => {
    witness.shown = note
    witness.script.push(step)
  }
  const cosign = (desk: Witnesses): Promise<Witnessed> => desk.cosign(ours.tree(5), only(witnesses[0]!))

  it.each<[string, string, Step]>([
    ['a larger tree of ours', ours.tree(8).note, knows(8)],
    ['a larger tree of another history', other.tree(8).note, knows(8)],
    ['another tree of our size', other.tree(5).note, says(422)],
    ['another tree of our size, as older witnesses say it', other.tree(5).note, knows(5, 'text/plain')],
    ['a smaller tree of another history', other.tree(4).note, says(422)],
  ])('%s, and proves it: nothing is signed any more', async (_, note, step) => {
    const [w1] = witnesses as [FakeWitness]
    const desk = open()
    await desk.cosign(ours.tree(5), only(w1))
    shows(w1, note, step)
    const error = await cosign(desk).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(LedgerFatal)
    expect(error).toMatchObject({ code: 'rollback', detail: { witness: 'w1', isProved: true, note } })
    const asked = w1.asked.length
    await expect(desk.cosign(ours.tree(9), only(w1))).rejects.toBe(error)
    expect(w1.asked).toHaveLength(asked)
  })

  it.each<[string, string, string | undefined, Step]>([
    ['claims-larger', 'shows nothing', undefined, knows(8)],
    ['claims-larger', 'shows a tree that others signed', forgedNote(), knows(8)],
    ['claims-larger', 'shows what is no note', 'x'.repeat(70_000), knows(8)],
    ['claims-larger', 'shows what we know', ours.tree(5).note, knows(8)],
    ['claims-larger', 'shows the beginning of our tree', ours.tree(3).note, knows(8)],
    ['refused', 'finds us wrong and shows our tree', ours.tree(5).note, says(422)],
    ['refused', 'finds us wrong and shows the beginning of it', ours.tree(4).note, says(422)],
  ])('%s: it claims so, and %s: an alarm, and the log goes on', async (code, _, note, step) => {
    const [w1] = witnesses as [FakeWitness]
    const desk = open()
    if (note !== undefined) w1.shown = note
    w1.script.push(step)
    expect(codes(await cosign(desk))).toEqual([`w1 ${code}`])
    expect(errors).toHaveLength(1)
    expect(await cosign(desk)).toMatchObject({ isQuorum: true, failures: [] })
  })

  it.each([
    ['larger, of the tree that was committed meanwhile', ours.tree(8).note, []],
    ['larger, of another history', other.tree(8).note, ['rollback']],
    ['larger than what is committed, too', ours.tree(9).note, ['rollback']],
  ])('because somebody handed it a checkpoint: %s', async (_, note, stops) => {
    const [w1] = witnesses as [FakeWitness]
    const forks: LedgerFatal[] = []
    const desk = open({
      readCommitted: async () => ours.tree(8),
      onFork: (error) => void forks.push(error),
    })
    shows(w1, note, knows(openCheckpoint(note, ours.pinned).checkpoint.size))
    const said = await cosign(desk).then(codes, (error: unknown) => [(error as LedgerFatal).code])
    expect(said).toEqual(stops.length > 0 ? stops : ['w1 conflict'])
    expect(forks.map(({ code }) => code)).toEqual(stops)
    expect(errors).toEqual([])
  })

  it('and is heard although nobody waits for it any more', async () => {
    const [w1] = witnesses as [FakeWitness]
    const forks: LedgerFatal[] = []
    let release = (): void => undefined
    const released = new Promise<void>((done) => (release = done))
    shows(w1, other.tree(8).note, async (asked, response, witness) => {
      await released
      await knows(8)(asked, response, witness)
    })
    const desk = open({ onFork: (error) => void forks.push(error) })
    expect(await desk.cosign(ours.tree(5), policy(...TWO))).toMatchObject({ isQuorum: true })
    expect(forks).toEqual([])
    release()
    await expect.poll(() => forks.map(({ detail }) => detail['witness'])).toEqual(['w1'])
  })

  it('and is heard although the quorum is there without it', async () => {
    const [w1] = witnesses as [FakeWitness]
    let release = (): void => undefined
    const released = new Promise<void>((done) => (release = done))
    shows(w1, other.tree(8).note, knows(8))
    // The others answer when the claim is on its way, and it takes longer than anybody is waited for.
    for (const witness of witnesses.slice(1)) witness.script.push(after(released, ours.vkey))
    const outside = openOutside()
    const slow: Outside = {
      ...outside,
      request: async (url, options) => {
        if (options?.method === undefined) {
          release()
          await sleep(300)
        }
        return outside.request(url, options)
      },
    }
    const asked = open({ outside: slow }).cosign(ours.tree(5), policy(...TWO))
    await expect(asked).rejects.toMatchObject({ code: 'rollback' })
  })
})

/** A checkpoint of the same origin that the log's key did not sign. */
function forgedNote(): string {
  const { note } = ours.tree(8)
  const { text } = parseNote(note)
  const { line } = parseNote(ours.tree(9).note).signatures[0]!
  return formatNote(text, [line])
}
