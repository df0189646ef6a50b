/** A process that counts in a shared file memory: `memory-writer.ts DIR NAME TIMES`. See test/node/file-memory.test.ts. */
import { fileMemory } from '../../client/src/node/index.js'

const [dir = '', name = '', times = '0'] = process.argv.slice(2)
const memory = fileMemory(dir)
const key = { identity: 'registry-race', server: '', slot: 'shared' }

for (let i = 0; i < Number(times); i++) {
  await memory.updateServer(key, (old) => ({
    v: 1,
    accepted: [],
    ownKids: [],
    signKids: [],
    variants: {},
    tools: [...(old?.tools ?? []), `${name}-${i}`],
  }))
}
