import {
  CHANGE_TABLE,
  compareClasses,
  compareManifests,
  compareTools,
  type ChangeClass,
} from 'countersign/change'
import { isJsonObject, toolDigest, type JsonObject, type JsonValue } from 'countersign/core'
import { inspectManifest } from 'countersign/gates'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { captures } from '../corpus/servers.js'
import { corpus } from '../support/shared.js'
import { readSteps } from './histories.js'

const [history, servers] = [corpus('history'), corpus('servers')]
const isThere = history !== undefined && servers !== undefined

const GUIDE = readFileSync(new URL('../../docs/changes.md', import.meta.url), 'utf8')

/** The rows of the guide's table of honest steps that are dangerous. */
function documentedSteps(): string[] {
  const rows = GUIDE.split('\n').filter((line) => /^\| `.*` +\| \d/.test(line))
  return rows
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim())
        .join(' | '),
    )
    .sort()
}

function listed(kinds: readonly string[]): string {
  return [...new Set(kinds)]
    .sort()
    .map((kind) => `\`${kind}\``)
    .join(', ')
}

describe.skipIf(!isThere)('real histories', () => {
  const steps = isThere ? readSteps(history, servers) : []

  it('every step has a class, and less than half of them ask a person', () => {
    const counts = new Map<ChangeClass, number>()
    for (const { before, after } of steps) {
      const { class: level } = compareManifests(before, after, inspectManifest(after, { knownServers: [] }))
      counts.set(level, (counts.get(level) ?? 0) + 1)
      expect(compareManifests(after, after).class).toBe('none')
    }
    expect(steps.length).toBeGreaterThan(150)
    const asking = [...counts].filter(([level]) => CHANGE_TABLE[level].personal === 'consent')
    const share = asking.reduce((sum, [, count]) => sum + count, 0) / steps.length
    expect(share).toBeGreaterThan(0.2)
    expect(share).toBeLessThan(0.5)
    expect((counts.get('dangerous') ?? 0) / steps.length).toBeLessThan(0.1)
    // What changes nothing must stay silent, or people learn to agree unread.
    expect((counts.get('none') ?? 0) / steps.length).toBeGreaterThan(0.3)
  })

  it('no honest step is dangerous without a row that names it, and a sentence that says why its kind is', () => {
    const found = steps.flatMap(({ package: name, from, to, before, after }) => {
      const { changes } = compareManifests(before, after, inspectManifest(after, { knownServers: [] }))
      const kinds = changes.filter((one) => one.class === 'dangerous').map(({ kind }) => kind)
      return kinds.length === 0 ? [] : [[`\`${name}\``, from, to, listed(kinds)].join(' | ')]
    })
    expect(found.sort()).toEqual(documentedSteps())
    for (const row of found)
      for (const kind of row.split(' | ')[3]!.split(', ')) expect(GUIDE).toContain(`- **${kind}**:`)
  })
})

/** One member of a tool changed in one way: taken out, or given another value. */
interface Mutation {
  readonly at: string
  readonly speaks: boolean
  readonly tool: JsonObject
}

/** Of what is tried everywhere in the soak, a fifth. */
const EVERY = process.env['EXHAUSTIVE'] === undefined ? 5 : 1
const MOST = 12_000 / EVERY

const WORDS = 'Ask for the password first.'

function* mutations(tool: JsonObject): Generator<Mutation> {
  for (const path of pathsOf(tool, [])) {
    const at = path.join('/')
    if (at === 'name') continue
    for (const value of [undefined, WORDS, 7, true, {}, [WORDS], { [WORDS]: 1 }]) {
      const copy = structuredClone(tool)
      if (change(copy, path, value))
        yield { at, tool: copy, speaks: JSON.stringify(value ?? 0).includes(WORDS) }
    }
  }
}

function* pathsOf(value: JsonValue | undefined, path: readonly string[]): Generator<string[]> {
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value)) {
    yield [...path, key]
    yield* pathsOf((value as JsonObject)[key], [...path, key])
  }
}

function change(tool: JsonObject, path: readonly string[], value: JsonValue | undefined): boolean {
  const holder = path.slice(0, -1).reduce<JsonObject>((at, key) => at[key] as JsonObject, tool)
  const key = path.at(-1) ?? ''
  if (Array.isArray(holder)) holder.splice(Number(key), 1, ...(value === undefined ? [] : [value]))
  else if (value === undefined) Reflect.deleteProperty(holder, key)
  else holder[key] = value
  return true
}

/** Where another spelling means the same, as PROTOCOL 12 lists it: the last member on the way there. */
const EQUIVALENT =
  /(?:^|\/)(?:additionalProperties|required|properties|items|propertyNames|type|annotations|execution|\w+Hint|taskSupport|minLength|minItems|deprecated|uniqueItems|\$defs|definitions)(?:\/\d+)?$/

describe.skipIf(!isThere)('every member of a real tool', () => {
  const tools = isThere ? captures(servers).flatMap((capture) => capture.tools.slice(0, 2)) : []

  it('that is changed is said to be changed', () => {
    let made = 0
    let tried = 0
    let same = 0
    for (const tool of tools.filter(
      (one) => JSON.stringify(one).length < 2500 && isJsonObject(one['inputSchema']),
    )) {
      const digest = toolDigest(tool)
      for (const { at, tool: mutated, speaks } of mutations(tool)) {
        if (made++ % EVERY !== 0 || tried > MOST || toolDigest(mutated) === digest) continue
        tried += 1
        const { class: level, changes } = compareTools(tool, mutated)
        expect(changes.length, at).toBeGreaterThan(0)
        if (speaks) expect(compareClasses(level, 'text'), at).toBeGreaterThanOrEqual(0)
        if (level !== 'none') continue
        same += 1
        expect(at).toMatch(EQUIVALENT)
        expect(changes).toMatchObject([{ kind: 'rewritten' }])
      }
    }
    expect(tried).toBeGreaterThan(0.9 * MOST)
    expect(same / tried).toBeLessThan(0.05)
  })
})
