import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { connectGuarded, openWorld, POISON, signedTools, type SignedWorld } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { openTestMirror, serveFolder, type TestMirror } from '../support/mirror.js'
import { revokeManifest } from '../support/registry.js'

let world: SignedWorld
let mirror: TestMirror
let digest: string

beforeAll(async () => {
  world = await openWorld()
  digest = await world.publish({ tools: signedTools() })
  mirror = await openTestMirror(world.registry)
  await mirror.run()
})

afterAll(async () => {
  mirror.close()
  await world.close()
})

describe.each(['a folder', 'a web server of files'])('a guard that knows %s alone', (place) => {
  async function guard(tools: readonly object[]) {
    const web = place === 'a folder' ? undefined : await serveFolder(mirror.out)
    const host = await mirror.host(web === undefined ? {} : { url: web.url })
    const server = hostileServer(toolPages(tools))
    const guarded = await connectGuarded('sdk v2', server, host)
    const names = await guarded.toolNames()
    const call = await guarded.call('get_forecast', { city: 'Bern' })
    web?.close()
    return { names, call, withheld: guarded.withheld(), heard: guarded.heard() }
  }

  it('lets through what was signed', async () => {
    const { names, call, withheld } = await guard(BENIGN_TOOLS)
    expect([names, call, withheld]).toEqual([benignNames(), 'done', {}])
  })

  it('withholds what was changed', async () => {
    const pulled = withTool('get_forecast', (tool) => (tool['description'] = `Forecast. ${POISON}`))
    const { names, call, withheld, heard } = await guard(pulled)
    expect(withheld).toEqual({ get_forecast: 'definition-changed' })
    expect([names.includes('get_forecast'), call, heard.includes(POISON)]).toEqual([false, -32602, false])
  })
})

it('a guard hears of a revocation by the next run', async () => {
  await revokeManifest(world.registry.admin, digest)
  await mirror.run()
  const guarded = await connectGuarded('sdk v2', hostileServer(toolPages(BENIGN_TOOLS)), await mirror.host())
  expect(await guarded.toolNames()).toEqual([])
})
