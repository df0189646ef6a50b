import { inspectManifest, type Finding } from 'countersign/gates'
import { parseStrictJson, toolDigest, type JsonObject } from 'countersign/core'
import { describe, expect, it } from 'vitest'
import { corpus } from '../support/shared.js'
import { attacks, captures, manifestOf, serverNameOf, type Capture } from './servers.js'

const servers = corpus('servers')
const attackSet = corpus('attacks')

/** Two servers send schemas that MCP forbids; every SDK client refuses their whole list. */
const WITHOUT_OBJECT_TYPE = ['@modelcontextprotocol/server-gitlab', 'mcp-obsidian']

function rawTools(capture: Capture): JsonObject[] {
  return (capture.raw?.tools_list ?? []).flatMap((line) => {
    const frame = parseStrictJson(line) as { result: { tools: JsonObject[] } }
    return frame.result.tools
  })
}

describe.skipIf(servers === undefined)('real servers', () => {
  const all = servers === undefined ? [] : captures(servers)
  const whole = all.filter((capture) => !WITHOUT_OBJECT_TYPE.includes(capture.package))

  it('one digest a tool, from the raw line and from the parsed list', () => {
    let compared = 0
    for (const capture of all) {
      const raw = rawTools(capture).map((tool) => toolDigest(tool))
      const parsed = capture.tools.map((tool) => toolDigest(tool))
      expect(raw.slice(0, parsed.length), capture.package).toEqual(parsed)
      compared += parsed.length
    }
    console.log(`corpus: ${compared} tools of ${all.length} servers digested, raw and parsed alike`)
    expect(compared).toBeGreaterThan(3000)
  })

  it('every list makes a manifest, but those whose schemas are none', () => {
    for (const capture of whole) {
      expect(manifestOf(serverNameOf(capture.package), capture.tools, capture).tools).toHaveLength(
        capture.tools.length,
      )
    }
    const broken = all.filter((capture) => WITHOUT_OBJECT_TYPE.includes(capture.package))
    for (const capture of broken) {
      expect(() => manifestOf(serverNameOf(capture.package), capture.tools)).toThrow(
        expect.objectContaining({
          code: 'manifest-invalid',
          detail: expect.objectContaining({
            pointer: expect.stringMatching(/inputSchema\/type$/) as unknown,
          }) as unknown,
        }),
      )
    }
    console.log(
      `corpus: refused for want of type "object": ${broken.map(({ package: name }) => name).join(', ')}`,
    )
  })

  it('the rules refuse no honest server and hold few', () => {
    const found = whole.map((capture) => ({
      name: capture.package,
      findings: inspectManifest(manifestOf(serverNameOf(capture.package), capture.tools, capture), {
        knownServers: [],
      }),
    }))
    report('honest servers', found)
    expect(
      found.filter(({ findings }) => findings.some(({ refuse }) => refuse)).map(({ name }) => name),
    ).toEqual([])
    const held = found.filter(({ findings }) => findings.some((finding) => finding.held))
    expect(held.length / found.length).toBeLessThanOrEqual(0.05)
  })
})

describe.skipIf(attackSet === undefined)('known attacks', () => {
  const all = attackSet === undefined ? [] : attacks(attackSet)
  const hidden = all.filter(({ labels }) => labels.includes('hidden-unicode') || labels.includes('ansi'))

  it('every definition with invisible characters or escapes is found', () => {
    const found = hidden.map((entry) => ({ name: entry.id, findings: inspectAttack(entry.tool) }))
    report('attacks by hidden characters', found)
    const missed = found.filter(({ findings }) => !findings.some(({ severity }) => severity === 'high'))
    expect(missed.map(({ name }) => name)).toEqual([])
    expect(found.length).toBeGreaterThan(4)
  })

  it('says how many of the others spelling alone gives away', () => {
    const others = all.filter((entry) => entry.malice_in.startsWith('definition') && !hidden.includes(entry))
    const found = others.map((entry) => ({ name: entry.id, findings: inspectAttack(entry.tool) }))
    report('attacks by words alone (a matter for people)', found)
    expect(found.length).toBeGreaterThan(50)
  })
})

/** Demo servers take liberties with names and schemas that have nothing to do with what is inspected here. */
function inspectAttack(tool: JsonObject): Finding[] {
  const plain = {
    ...tool,
    name: 'attack',
    inputSchema: { type: 'object', ...(tool['inputSchema'] as JsonObject) },
  }
  return inspectManifest(manifestOf('com.example/attack', [plain]), { knownServers: [] })
}

function report(what: string, found: readonly { name: string; findings: readonly Finding[] }[]): void {
  const rules = new Map<string, number>()
  for (const { findings } of found) {
    for (const rule of new Set(findings.map((finding) => finding.rule)))
      rules.set(rule, (rules.get(rule) ?? 0) + 1)
  }
  const hit = found.filter(({ findings }) => findings.length > 0)
  const held = found.filter(({ findings }) => findings.some((finding) => finding.held))
  const table = [...rules].map(([rule, count]) => `${rule} ${count}`).join(', ')
  console.log(`${what}: ${hit.length} of ${found.length} with findings, ${held.length} held (${table})`)
  for (const { name, findings } of held) {
    const worst = findings.filter((finding) => finding.held).slice(0, 2)
    for (const { rule, pointer, shown } of worst)
      console.log(`  ${name}: ${rule} at ${pointer} ${shown?.slice(0, 60) ?? ''}`)
  }
}
