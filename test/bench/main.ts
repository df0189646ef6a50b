import { benchChanges } from './changes.js'
import { benchGuard } from './guard.js'
import { benchLog } from './log.js'
import { formatRows, type Row } from './measure.js'
import { benchRegistry } from './registry.js'
import { benchVerify } from './verify.js'

const BENCHES: Readonly<Record<string, () => Promise<Row[]>>> = {
  verify: benchVerify,
  changes: benchChanges,
  log: () => benchLog(),
  registry: benchRegistry,
  guard: benchGuard,
}

/** `npm run bench` runs all of them, `npm run bench -- NAME…` these. Exit code 1 when a target is missed, 2 for usage. */
async function main(names: readonly string[]): Promise<number> {
  const unknown = names.find((name) => !Object.hasOwn(BENCHES, name))
  if (unknown !== undefined) {
    process.stderr.write(`there is no benchmark "${unknown}"; there is: ${Object.keys(BENCHES).join(', ')}\n`)
    return 2
  }
  let pass = true
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (names.length > 0 && !names.includes(name)) continue
    const rows = await bench()
    process.stdout.write(formatRows(rows))
    pass &&= rows.every((row) => row.pass)
  }
  return pass ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
