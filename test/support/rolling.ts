import { openWorld, tool, weather, type Published, type World } from './world.js'

/** Two versions of one server, both approved, whose words differ: what a service shows while it is rolled out. */
export function rollingWorld(): { readonly world: World; readonly versions: readonly Published[] } {
  const world = openWorld()
  const acme = world.enrol('com.acme')
  const versions = ['1.0.0', '2.0.0'].map((version) =>
    world.release(
      acme,
      weather(version, {
        tools: ['forecast', 'alerts'].map((name) => ({
          definition: tool(name, { description: `Does ${name}, as ${version} words it.` }),
          permissions: [],
        })),
      }),
    ),
  )
  return { world, versions }
}
