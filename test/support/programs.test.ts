import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { program } from './programs.js'

const run = promisify(execFile)
const NAME = 'cli-server.ts'
const fileOf = ([, , file = '']: readonly string[]): string => file

/** As another worker builds it. */
async function elsewhere(): Promise<string> {
  const programs = new URL('programs.ts', import.meta.url).href
  const code = `import { program } from ${JSON.stringify(programs)}\nconsole.log(program('${NAME}')[2])`
  const args = ['--import', 'tsx', '--input-type=module', '-e', code]
  return (await run(process.execPath, args)).stdout.trim()
}

describe('a program of the tests', () => {
  it('is one file, whoever builds it at once, and the same one the next time', async () => {
    const file = fileOf(program(NAME))
    const before = readFileSync(file)
    expect(await Promise.all([elsewhere(), elsewhere(), elsewhere()])).toEqual([file, file, file])
    expect(readFileSync(file).equals(before)).toBe(true)
    expect(basename(file)).toBe('cli-server.mjs')
    expect(basename(dirname(file))).toBe('countersign-tests')
  })

  it('is whole: a process that starts it has it all', async () => {
    await expect(run(process.execPath, ['--check', fileOf(program(NAME))])).resolves.toBeDefined()
  })
})
