import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileMemory } from 'countersign/node'
import { memoryInProcess, type ServerMemory } from 'countersign'
import {
  answerOf,
  openQuestion,
  questionId,
  withConsent,
  withQuestion,
} from '../../client/src/consent/question.js'
import type { Question, QuestionDraft } from '../../client/src/consent/types.js'
import { EMPTY_SERVER_MEMORY } from '../../client/src/memory.js'
import { codeOfAsync } from './support.js'

const side = (n: number) => ({ version: `${n}.0.0`, manifest: `sha256:${String(n % 10).repeat(64)}` })
const DRAFT: QuestionDraft = {
  reason: 'changed',
  server: 'com.acme/weather',
  slot: 'npx weather',
  from: side(1),
  to: side(2),
  class: 'widened',
  items: ['tool forecast'],
}
const question = (draft: QuestionDraft = DRAFT): Question => openQuestion(draft, 7)
const numbered = (n: number): Question => question({ ...DRAFT, to: { ...side(2), version: `2.0.${n}` } })

describe('the id of a question', () => {
  it('is another one for another reason, server, slot, side or key', () => {
    const others: Partial<QuestionDraft>[] = [
      {},
      { reason: 'lower-version' },
      { server: 'com.acme/other' },
      { slot: 'npx other' },
      { from: side(3) },
      { to: side(3) },
      { to: { ...side(2), kid: 'k' } },
      { to: { ...side(2), variant: '' } },
      { binding: '' },
    ]
    const ids = others.map((change) => questionId({ ...DRAFT, ...change }))
    const { reason, server, slot, to, class: change, items } = DRAFT
    const first = { reason, server, slot, to, class: change, items }
    expect(new Set([...ids, questionId(first)]).size).toBe(others.length + 1)
  })

  it('is the same for other words about the same', () => {
    const told = { ...DRAFT, items: [], class: 'dangerous' as const }
    expect(questionId(told)).toBe(questionId(DRAFT))
    expect(questionId({ ...DRAFT, binding: 'x', to: side(9) })).toBe(questionId({ ...DRAFT, binding: 'x' }))
  })
})

describe('what is kept of questions and answers', () => {
  it('of the same question, one; of many, sixteen: answered ones go first, then the oldest', () => {
    let memory: ServerMemory = EMPTY_SERVER_MEMORY
    memory = withQuestion(memory, numbered(0))
    expect(withQuestion(memory, numbered(0))).toBe(memory)
    for (let n = 1; n < 16; n++) memory = withQuestion(memory, numbered(n))
    memory = withConsent(memory, { question: numbered(5).id, decision: 'refused', at: 1 })
    memory = withQuestion(memory, numbered(16))
    const ids = (): readonly string[] => (memory.questions ?? []).map((one) => one.id)
    expect([ids().length, ids().includes(numbered(5).id), ids()[0]]).toEqual([16, false, numbered(0).id])
    memory = withQuestion(memory, numbered(17))
    expect([ids().length, ids()[0]]).toEqual([16, numbered(1).id])
    expect(answerOf(memory, numbered(5).id)).toBe('refused')
  })

  it('of answers, the last one to each question, and sixty-four', () => {
    let memory: ServerMemory = EMPTY_SERVER_MEMORY
    for (let n = 0; n < 70; n++)
      memory = withConsent(memory, { question: numbered(n).id, decision: 'agreed', at: n })
    memory = withConsent(memory, { question: numbered(69).id, decision: 'refused', at: 70 })
    expect(memory.consents).toHaveLength(64)
    expect([answerOf(memory, numbered(69).id), answerOf(memory, numbered(0).id)]).toEqual([
      'refused',
      'waiting',
    ])
  })

  it('of the labels of one question, three hundred', () => {
    const items = Array.from({ length: 1000 }, (_, i) => `tool t${i}`)
    const memory = withQuestion(EMPTY_SERVER_MEMORY, { ...question(), items })
    expect(memory.questions?.[0]?.items).toHaveLength(300)
  })
})

describe('on disk', () => {
  let dir = ''
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'countersign-consent-'))))
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const key = { identity: 'registry-consent', server: 'com.acme/weather', slot: 'npx weather' }
  const whole = (): ServerMemory => ({
    ...withConsent(
      withQuestion(
        EMPTY_SERVER_MEMORY,
        question({ ...DRAFT, to: { ...side(2), kid: 'k', server: 's', variant: '' } }),
      ),
      { question: question().id, decision: 'refused', at: 9 },
    ),
    since: 3,
    seen: { 'tool forecast': ['', '{"flag:x":"on"}'] },
  })

  it('comes back as it was, and is listed', async () => {
    for (const memory of [fileMemory(dir), memoryInProcess()]) {
      await memory.updateServer(key, whole)
      expect(await memory.readServer(key)).toEqual(whole())
      expect(await memory.listServers(key.identity)).toEqual([{ key, memory: whole() }])
      expect(await memory.listServers('registry-other')).toEqual([])
    }
  })

  it.each([
    ['a reason nobody knows', '"changed"', '"because"'],
    ['a class nobody knows', '"widened"', '"fine"'],
    ['an id that is no digest', /"id":"sha256:[0-9a-f]{64}"/, '"id":"agreed"'],
    ['a decision nobody can make', '"refused"', '"maybe"'],
    ['a time that is none', '"askedAt":7', '"askedAt":"7"'],
    ['a side without its digest', /"from":\{[^}]*\}/, '"from":{"version":"1.0.0"}'],
    ['labels that are none', '"items":["tool forecast"]', '"items":[7]'],
    ['variants that are none', '"seen":{', '"seen":{"x":"y",'],
    ['a negative past', '"since":3', '"since":-3'],
  ])('with %s it is corrupt, and stays as it is', async (_what, from, to) => {
    await fileMemory(dir).updateServer(key, whole)
    const file = join(dir, readdirSync(dir).find((name) => name.startsWith('server-')) ?? '')
    const text = readFileSync(file, 'utf8')
    expect(text.replace(from, to)).not.toBe(text)
    writeFileSync(file, text.replace(from, to))
    expect(await codeOfAsync(() => fileMemory(dir).readServer(key))).toBe('memory-corrupt')
    expect(await codeOfAsync(() => fileMemory(dir).listServers(key.identity))).toBe('memory-corrupt')
    expect(readFileSync(file, 'utf8')).toBe(text.replace(from, to))
  })
})
