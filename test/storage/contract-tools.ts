import { beforeEach, describe, expect, it } from 'vitest'
import type { ManifestRow } from '../../src/storage/store.js'
import {
  digest,
  emptyState,
  freshStore,
  manifestRow,
  type Digest,
  type StoreFactory,
} from './contract-support.js'

/** Who holds a tool. */
export function toolsContract(name: string, open: StoreFactory): void {
  describe(`store contract: ${name}: manifests by tool`, () => {
    const { store } = freshStore(open)
    const tool = digest('one tool')
    const holding = (version: string, index: number, ...tools: Digest[]): ManifestRow => ({
      ...manifestRow('weather', version, index),
      approveIndex: index + 100,
      toolDigests: tools.map((one, i) => ({ name: `tool${i}`, digest: one })),
    })
    /** Nobody approved it: neither its place nor its digest is a stranger's business. */
    const waiting: ManifestRow = {
      ...manifestRow('weather', '5.0.0', 3),
      toolDigests: [{ name: 'tool0', digest: tool }],
    }
    const put = (...rows: ManifestRow[]): Promise<void> =>
      store().commitBatch(async (tx) => {
        for (const row of rows) await tx.putManifest(row)
      })
    const find = async (of: Digest = tool, limit = 100, after?: Digest): Promise<string[]> =>
      (await store().readByTool(of, limit, after)).map(({ version }) => version)

    beforeEach(async () => {
      await store().initLog(emptyState)
      await put(
        holding('3.0.0', 1, tool),
        holding('1.0.0', 5, digest('another'), tool),
        { ...holding('2.0.0', 9, tool), status: 'withdrawn' },
        holding('4.0.0', 7, digest('another')),
        waiting,
      )
    })

    it('finds them in log order, whatever became of their approval, and no others', async () => {
      expect(await find()).toEqual(['3.0.0', '1.0.0', '2.0.0'])
      expect(await find(digest('another'))).toEqual(['1.0.0', '4.0.0'])
      expect(await find(digest('nobody’s'))).toEqual([])
    })

    it('gives rows as lists have them', async () => {
      // eslint-disable-next-line @typescript-eslint/no-unused-vars -- taken away from the rest
      const { envelope, toolDigests, lookups, ...listed } = holding('3.0.0', 1, tool)
      expect(await store().readByTool(tool, 1)).toEqual([listed])
    })

    it('goes on behind a row, and none is given twice or left out', async () => {
      const found: string[] = []
      let after: Digest | undefined
      for (let page = await store().readByTool(tool, 1); page.length > 0;) {
        found.push(...page.map(({ version }) => version))
        after = page.at(-1)?.manifest
        page = await store().readByTool(tool, 1, after)
      }
      expect(found).toEqual(['3.0.0', '1.0.0', '2.0.0'])
      expect(await find(tool, 2)).toEqual(['3.0.0', '1.0.0'])
      expect(await find(tool, 2, holding('3.0.0', 1).manifest)).toEqual(['1.0.0', '2.0.0'])
    })

    it('goes on behind a row that holds another tool, and begins anew behind none', async () => {
      expect(await find(tool, 100, holding('4.0.0', 7).manifest)).toEqual(['2.0.0'])
      expect(await find(tool, 100, digest('no manifest'))).toEqual(['3.0.0', '1.0.0', '2.0.0'])
    })

    it('gives a manifest once that holds a tool under two names', async () => {
      const twice = digest('under two names')
      await put(holding('5.0.0', 11, twice, twice))
      expect(await find(twice)).toEqual(['5.0.0'])
    })
  })
}
