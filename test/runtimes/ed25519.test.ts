import { beforeAll, describe, expect, it } from 'vitest'
import { vectors } from '../support/shared.js'
import { chromiumPath, openChromium } from './browser.js'
import { bundleVerdicts } from './bundle.js'
import { allCases, crafted } from './cases.js'
import { installNode } from './nodes.js'
import { verdicts, type Case, type Verdicts } from './verdicts.js'

const here = Number(process.versions.node.split('.')[0])
const OLD = 20
const NEW = 24

let cases: Case[] = []
let expected: Verdicts
let script = ''

beforeAll(async () => {
  cases = allCases()
  expected = verdicts(cases)
  script = await bundleVerdicts()
})

describe('one verdict on every runtime (A23)', () => {
  it('this one: both forms agree', () => {
    expect(expected.form).toBe('node')
    expect(expected.disagreements).toEqual([])
    expect(expected.table).toHaveLength(2 * cases.length)
    console.log(
      `Ed25519: ${cases.length} cases, ${count(expected)} accepted on Node ${process.versions.node}`,
    )
  })

  it.skipIf(vectors('C2SP+CCTV/ed25519/ed25519vectors.json') === undefined)(
    'all public vectors are in it',
    () => {
      expect(cases.filter(({ name }) => name.startsWith('cctv'))).toHaveLength(914)
      expect(cases.filter(({ name }) => name.startsWith('wycheproof'))).toHaveLength(151)
    },
  )

  // The Node that runs this is the table everything is compared with.
  it.for([OLD, NEW].filter((major) => major !== here))(
    'Node %i',
    { timeout: 400_000 },
    async (major, { skip }) => {
      const node = await installNode(major)
      if (node === undefined) return skip('see the warning above')
      try {
        const got = (await node.evaluate(script, cases)) as Verdicts
        console.log(`Ed25519: ${count(got)} accepted on Node ${node.version.slice(1)}`)
        expect(Number(node.version.slice(1).split('.')[0])).toBe(major)
        expect(got).toEqual({ ...expected, form: 'node' })
      } finally {
        await node.close()
      }
    },
  )

  const chromium = chromiumPath()
  it.skipIf(chromium === undefined)('headless Chromium', { timeout: 180_000 }, async () => {
    const browser = await openChromium(chromium!)
    try {
      const page = await browser.newPage()
      await page.addScriptTag({ content: script })
      const got = await page.evaluate(judge, cases)
      console.log(`Ed25519: ${count(got)} accepted in Chromium ${browser.version()}`)
      expect(got).toEqual({ ...expected, form: 'portable' })
    } finally {
      await browser.close()
    }
  })
})

describe('the crafted signatures', () => {
  it('are accepted unshifted, refused with R shifted, and no shifted key is enrolled', () => {
    const table = new Map(crafted().map((one) => [one.name, verdicts([one]).table]))
    for (const [name, verdict] of table) {
      const [, kind, i] = /^([AR])\+(\d)T8/.exec(name)!
      if (i === '0') expect([name, verdict]).toEqual([name, '++'])
      else if (kind === 'R') expect([name, verdict]).toEqual([name, '-+'])
      else expect([name, verdict[1]]).toEqual([name, '-'])
    }
    expect(table.size).toBe(240)
  })
})

/** Runs in the page, where the script has set it. */
function judge(given: readonly Case[]): Verdicts {
  return (globalThis as unknown as { verdicts: (given: readonly Case[]) => Verdicts }).verdicts(given)
}

function count({ table }: Verdicts): number {
  return Array.from(table).filter((verdict, i) => i % 2 === 0 && verdict === '+').length
}
