/** A process that writes records to a shared file: `writer-main.ts FILE AGENT TIMES CLOSE_MS`; it prints how many it lost. */
import process from 'node:process'
import { openRecords } from '../../client/src/records/index.js'

const [file = '', agent = '', times = '0', closeMs = '0'] = process.argv.slice(2)
const records = openRecords({ file, maxBytes: 32 * 1024, keep: 100 })
const tell = records.connection({ slot: 'shared', agent })
for (let i = 0; i < Number(times); i++) {
  tell({ type: 'request-refused', method: 'x'.repeat(i % 200), name: String(i), code: 'not-listed' })
  if (i % 50 === 0) await new Promise(setImmediate)
}
process.stdout.write(`${await records.close(Number(closeMs))}\n`)
