import { describe, expect, it } from 'vitest'
import { compareManifests } from 'countersign/change'
import { inspectManifest } from 'countersign/gates'
import type { Manifest } from 'countersign/core'
import { QUESTION_REASONS, type ExplainedQuestion, type Question } from '../../client/src/consent/types.js'
import { exactLines } from '../../client/src/cli/consent/exact-text.js'
import { questionLines, shortLine } from '../../client/src/cli/consent/view.js'
import { formatLine, type Line } from '../../client/src/cli/output.js'
import { manifestOf, tool, weather } from '../support/world.js'

const textOf = (lines: readonly Line[]): string => lines.map((line) => formatLine(line, false)).join('\n')
const manifest = (version: string, change: Partial<Manifest> = {}): Manifest =>
  manifestOf(
    weather(version, {
      packages: [{ registryType: 'npm', identifier: '@acme/weather', version: '1.0.0' }],
      tools: [signed(tool('forecast')), signed(tool('alerts'))],
      ...change,
    }),
    'registry-test',
  )
const signed = (definition: ReturnType<typeof tool>) => ({ definition, permissions: [] })

const question: Question = {
  id: `sha256:${'4'.repeat(64)}`,
  reason: 'changed',
  server: 'com.example/weather',
  slot: 'npx weather',
  from: { version: '1.0.0', manifest: `sha256:${'1'.repeat(64)}` },
  to: { version: '2.0.0', manifest: `sha256:${'2'.repeat(64)}` },
  class: 'widened',
  items: ['tool radar'],
  askedAt: 1,
}

function explained(before: Manifest, after: Manifest): ExplainedQuestion {
  const comparison = compareManifests(before, after, inspectManifest(after, { knownServers: [] }))
  return { question, comparison, before, after }
}

describe('the exact text', () => {
  const before = manifest('1.0.0')

  it('of the same is none', () => {
    expect(exactLines(before, manifest('2.0.0'), [])).toEqual([])
  })

  it('holds every member that differs, whole, with both sides', () => {
    const long = `${'word '.repeat(2000)}end`
    const after = manifest('2.0.0', {
      tools: [
        signed(tool('forecast', { description: long, annotations: { readOnlyHint: false } })),
        {
          ...signed(tool('alerts')),
          permissions: [{ scope: 'alerts.read', reason: 'it reads', required: true }],
        },
        signed(tool('radar')),
      ],
      instructions: { definition: { text: 'Call radar first.' } },
      title: 'Weather of all places',
    })
    const text = textOf(exactLines(before, after, []))
    expect(text).toContain(`+   │ ${long}`)
    for (const part of ['tool forecast', 'annotations', 'scopes', 'alerts.read', 'tool radar', 'title'])
      expect(text).toContain(part)
    expect(text).toContain('+   │ Call radar first.')
  })

  it('shows what is gone', () => {
    const text = textOf(exactLines(before, manifest('2.0.0', { tools: [signed(tool('forecast'))] }), []))
    expect(text).toContain('tool alerts')
    expect(text).toMatch(/^- /m)
    expect(text).not.toMatch(/^\+ /m)
  })

  it('of nothing to compare with is all of it', () => {
    const text = textOf(exactLines(undefined, before, []))
    expect(text).toContain('tool forecast')
    expect(text).toContain('tool alerts')
    expect(text).not.toMatch(/^- /m)
  })
})

describe('a question', () => {
  it('names the worst change first, and shows that item’s text first', () => {
    const after = manifest('2.0.0', {
      tools: [
        signed(tool('alerts', { annotations: { destructiveHint: true, readOnlyHint: false } })),
        signed(tool('forecast', { description: 'Does forecast, and nothing more.' })),
      ],
    })
    const text = textOf(questionLines(explained(manifest('1.0.0'), after)))
    expect(text.indexOf('dangerous')).toBeLessThan(text.indexOf('text      tool forecast'))
    const exact = text.slice(text.indexOf('The exact text'))
    expect(exact.indexOf('tool alerts')).toBeLessThan(exact.indexOf('tool forecast'))
  })

  it('without anything to compare with says that all of it is to be read', () => {
    const after = manifest('2.0.0')
    const text = textOf(
      questionLines({ question, comparison: { class: 'dangerous', changes: [], more: 0 }, after }),
    )
    expect(text).toContain('tool forecast')
    expect(text).toContain('all of it')
  })

  it.each(QUESTION_REASONS)('%s is explained in words', (reason) => {
    const after = manifest('2.0.0')
    const asked = {
      ...question,
      reason,
      to: { ...question.to, kid: 'kid-1', variant: '', server: 'com.example/b' },
    }
    const lines = questionLines({ ...explained(manifest('1.0.0'), after), question: asked })
    expect(textOf(lines)).toContain('kid-1')
    expect(textOf([shortLine(asked)])).toContain(reason)
  })

  it('never lets a name of a server pass for a line of ours', () => {
    const hostile = 'x\n\u001b[2Kquestion  sha256:\u202e'
    const after = manifest('2.0.0')
    const asked = { ...question, server: hostile, slot: hostile, items: [hostile] }
    const text = textOf(questionLines({ ...explained(manifest('1.0.0'), after), question: asked }))
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
    expect(text).not.toMatch(/^.?question {2}sha256/m)
  })
})
