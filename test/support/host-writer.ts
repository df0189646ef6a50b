/**
 * A host in a process of its own on a shared file memory: `host-writer.ts DIR VERSION TIMES`. It shows that version of the
 * sample server as many times, restarting each time, and prints what was withheld as JSON. See test/client/floors.test.ts.
 */
import { fileMemory } from '../../client/src/node/index.js'
import { rollingWorld } from './rolling.js'
import { toolsOf } from './world.js'

const [dir = '', version = '', times = '0'] = process.argv.slice(2)
const { world, versions } = rollingWorld()
const live = versions.find((one) => one.version === version)
const withheld: string[] = []

for (let i = 0; i < Number(times); i++) {
  const host = await world.host({ memory: fileMemory(dir) })
  const review = await host.review({
    server: 'com.acme/weather',
    slot: 'npx weather',
    tools: live === undefined ? [] : toolsOf(live),
  })
  withheld.push(...review.withheld.map((one) => one.code))
}
process.stdout.write(JSON.stringify(withheld))
