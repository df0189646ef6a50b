import { afterAll, beforeAll } from 'vitest'
import { openWorld, signedTools, type SignedWorld } from '../support/guarded.js'

/** A registry for the tests of one file, in which the benign tools are signed and approved as version 1.0.0. */
export function signedWorld(): () => SignedWorld {
  let world: SignedWorld | undefined
  beforeAll(async () => {
    world = await openWorld()
    await world.publish({ tools: signedTools() })
  })
  afterAll(() => world?.close())
  return () => {
    if (world === undefined) throw new Error('the world opens before the tests')
    return world
  }
}
