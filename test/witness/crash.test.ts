import { afterEach, expect, it } from 'vitest'
import { openNote, parseCheckpointBody, parseVerifierKey, sha256HexOfText, utf8Bytes } from 'countersign/core'
import { startWitnessProcess, type WitnessProcess } from './process.js'
import { scriptedLog, tempFolder, WITNESS_NAME, type ScriptedLog } from './support.js'

const ROUNDS = 4
const LOGS = 4
const LANES = 8
const ANSWERS = 30

/** Two histories a log, which race from the beginning of each: the witness may sign one. */
const histories = Array.from({ length: LOGS }, (_, i) => {
  const origin = `example.com/log-${i}`
  return ['one', 'two'].map((history) => scriptedLog(origin, { seed: 10 + i, history }))
})

const folder = tempFolder()
let witness: WitnessProcess | undefined
afterEach(async () => {
  await witness?.end('SIGKILL')
  folder.remove()
})

/** What the witness signed and somebody received. */
interface Signed {
  readonly log: ScriptedLog
  readonly size: number
  readonly line: string
}

it('SIGKILL under load: never two trees of one size, and nothing that was answered is forgotten', async () => {
  const signed: Signed[] = []
  const vkeys = histories.map(([log]) => log!.vkey)
  for (let round = 0; round < ROUNDS; round++) {
    witness = await startWitnessProcess(
      '--key',
      folder.path('w.key'),
      '--name',
      WITNESS_NAME,
      '--log',
      ...vkeys,
    )
    await assertRemembered(witness, signed)
    const until = signed.length + ANSWERS
    const { url } = witness
    const lanes = Array.from({ length: LANES }, (_, lane) => growUntilSilence(url, lane, signed))
    await Promise.race([Promise.all(lanes), reached(signed, until)])
    expect(await witness.end('SIGKILL')).toBeNull()
    await Promise.all(lanes)
  }
  witness = await startWitnessProcess('--key', folder.path('w.key'), '--log', ...vkeys)
  await assertRemembered(witness, signed)
  assertOneTreeASize(signed, witness.vkey)
  expect(signed.length).toBeGreaterThanOrEqual(ROUNDS * ANSWERS)
}, 400_000)

async function reached(signed: readonly Signed[], until: number): Promise<void> {
  while (signed.length < until) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Offers both histories of one log after the other, from wherever the witness says it is, until nobody answers. */
async function growUntilSilence(url: string, lane: number, signed: Signed[]): Promise<void> {
  let old = 0
  // Two lanes a log, one history ahead of each other.
  for (let turn = Math.floor(lane / LOGS); ; turn++) {
    const log = histories[lane % LOGS]![turn % 2]!
    const size = Math.min(old + 1 + (turn % 3), 599)
    const answer = await ask(url, log.request(old, size))
    if (answer === undefined) return
    if (answer.status === 200) signed.push({ log, size, line: answer.text })
    if (answer.status === 409) old = Number(answer.text)
    else if (answer.status === 200) old = size
    else if (answer.status !== 422) throw new Error(`the witness answered ${answer.status}`)
  }
}

async function ask(url: string, body: Uint8Array): Promise<{ status: number; text: string } | undefined> {
  try {
    const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body })
    return { status: response.status, text: await response.text() }
  } catch {
    return undefined // killed
  }
}

/** What the witness has is at least as large as what it ever answered, of the same history, and signed by both. */
async function assertRemembered({ url, vkey }: WitnessProcess, signed: readonly Signed[]): Promise<void> {
  for (const [one] of histories) {
    const sizes = signed.filter(({ log }) => log.origin === one!.origin)
    const response = await fetch(`${url}/${sha256HexOfText(one!.origin)}/checkpoint`)
    if (sizes.length === 0) continue
    expect(response.status).toBe(200)
    const { text, verified } = openNote(await response.text(), [one!.key, parseVerifierKey(vkey)])
    const { size, root } = parseCheckpointBody(text)
    expect(verified).toHaveLength(2)
    expect(size).toBeGreaterThanOrEqual(Math.max(...sizes.map((each) => each.size)))
    expect(root).toEqual(sizes[0]!.log.checkpoint(size).root)
  }
}

function assertOneTreeASize(signed: readonly Signed[], vkey: string): void {
  const key = parseVerifierKey(vkey)
  const roots = new Map<string, string>()
  for (const { log, size, line } of signed) {
    const note = log.note(size)
    expect(openNote(utf8Bytes(note + line), [key]).verified).toHaveLength(1)
    const place = `${log.origin} ${size}`
    const root = note.split('\n')[2] ?? ''
    expect(roots.get(place) ?? root).toBe(root)
    roots.set(place, root)
  }
}
