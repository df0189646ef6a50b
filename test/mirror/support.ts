import { afterAll, afterEach, beforeAll } from 'vitest'
import { openTestMirror, type TestMirror } from '../support/mirror.js'
import {
  addPublisher,
  releaseSample,
  sampleManifest,
  startRegistry,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'

export const WEATHER = 'com.acme/weather'
export const CALC = 'com.acme/calc'
/** What every server here lists. */
export const tools = sampleManifest('x', { server: WEATHER }).tools.map(({ definition }) => definition)

export const npmPackage = (server: string, version: string) => ({
  packages: [{ registryType: 'npm' as const, identifier: `@acme/${server.slice(9)}`, version }],
})

interface Closable {
  close(): unknown
}

/** For the tests of a file: a registry with both servers at 1.0.0, and mirrors of it that end with their test. */
export function openStage() {
  let at: TestRegistry
  let acme: Publisher
  let weather: string
  const open: Closable[] = []

  const closeLater = <T extends Closable>(one: T): T => {
    open.push(one)
    return one
  }
  const release = (server: string, version: string): Promise<string> =>
    releaseSample(at, acme, { server, version, ...npmPackage(server, version) })

  beforeAll(async () => {
    at = await startRegistry()
    acme = await addPublisher(at, 'com.acme')
    weather = await release(WEATHER, '1.0.0')
    await release(CALC, '1.0.0')
  })
  afterAll(() => at.close())
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close()
  })

  return {
    get at(): TestRegistry {
      return at
    },
    get acme(): Publisher {
      return acme
    },
    /** Digest of the weather server's 1.0.0. */
    get weather(): string {
      return weather
    },
    release,
    closeLater,
    newMirror: async (): Promise<TestMirror> => closeLater(await openTestMirror(at)),
  }
}
