import { memoryInProcess, openHost, type Host, type Review } from 'countersign'
import { canonicalize, coveredItem, toolDigest, type JsonObject } from 'countersign/core'
import { compareTools } from 'countersign/change'
import { describe, expect, it } from 'vitest'
import { corpus } from '../support/shared.js'
import { openWorld, type World } from '../support/world.js'
import { liveTools, releaseCaptures, reviewCapture } from './live.js'
import { captures, isPublishable, type Capture } from './servers.js'

const [servers, otherDependencies] = [corpus('servers'), corpus('same_version_other_dependencies')]
const all = servers === undefined ? [] : captures(servers).filter(isPublishable)

/** One host with a memory of its own, which trusts a registry where all of these are signed. */
function openCorpusHost(world: World): Promise<Host> {
  return openHost({
    registry: world.frozenApi(),
    trust: world.trust,
    memory: memoryInProcess(),
    now: () => world.clock * 1000,
  })
}

function signedWorld(signed: readonly Capture[]): World {
  const world = openWorld()
  releaseCaptures(world, signed)
  return world
}

function assertWhole(review: Review, capture: Capture): void {
  expect(review.withheld, capture.package).toEqual([])
  expect(review.verdict, capture.package).toBe('verified')
  expect(review.allowed.map(({ digest }) => digest)).toEqual(
    liveTools(capture).map((tool) => toolDigest(tool)),
  )
  expect(review.prompts).toHaveLength(capture.prompts?.length ?? 0)
  expect(review.resourceTemplates).toHaveLength(capture.resourceTemplates?.length ?? 0)
  expect(review.instructions ?? '').toBe(capture.initialize.instructions ?? '')
}

describe.skipIf(servers === undefined)('every server of the corpus', () => {
  it('passes against its own manifest, from the lines it wrote, and again', async () => {
    for (const capture of all) {
      const host = await openCorpusHost(signedWorld([capture]))
      for (const firstUse of [true, false]) {
        const review = await reviewCapture(host, capture)
        assertWhole(review, capture)
        expect(review.firstUse).toBe(firstUse)
      }
      expect(await host.waiting()).toEqual([])
    }
    console.log(`corpus: ${all.length} servers pass against their own manifests`)
  })
})

describe.skipIf(servers === undefined || otherDependencies === undefined)(
  'the same versions with another SDK',
  () => {
    const others = otherDependencies === undefined ? [] : captures(otherDependencies)

    // Where a definition's meaning differs its publisher signs both as variants, or pins the SDK: none of these has to.
    it('pass, every tool of them, and go on as signed', async () => {
      const signed = all.filter((capture) => others.some((one) => one.package === capture.package))
      const host = await openCorpusHost(signedWorld(signed))
      const withheld: Record<string, string> = {}
      let passed = 0
      for (const other of others) {
        const own = signed.find((one) => one.package === other.package)
        expect(own?.version).toBe(other.version)
        const review = await reviewCapture(host, other)
        passed += review.allowed.length
        for (const tool of review.allowed) expect(tool.signed).toBe(signedText(own, tool.name))
        for (const { name, code } of review.withheld) {
          expect(code).toBe('definition-changed')
          withheld[`${other.package} ${name}`] = changesOf(own, other, name)
        }
      }
      console.log(`corpus: ${passed} tools of ${others.length} servers pass with another SDK underneath`)
      expect(withheld).toEqual({})
    })
  },
)

function toolOf(capture: Capture | undefined, name: string): JsonObject {
  return capture?.tools.find((tool) => tool['name'] === name) ?? {}
}

/** The guard hands on what was signed, not what this SDK made of it. */
function signedText(capture: Capture | undefined, name: string): string {
  return canonicalize(coveredItem('tool', toolOf(capture, name)))
}

function changesOf(own: Capture | undefined, other: Capture, name: string): string {
  const { changes } = compareTools(toolOf(own, name), toolOf(other, name))
  return changes.map(({ kind, pointer, class: level }) => `${level}: ${kind} ${pointer}`).join('; ')
}
