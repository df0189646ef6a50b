import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Another Node for as long as the test runs, in a folder of its own; `undefined` where none can be had. */
export interface OtherNode {
  readonly version: string
  readonly evaluate: (script: string, input: unknown) => Promise<unknown>
  readonly close: () => Promise<void>
}

/**
 * Installs the npm package `node` of this major version. Never a dependency of the project: its bin would take over
 * every npm script.
 */
export async function installNode(major: number): Promise<OtherNode | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-node-'))
  const close = () => rm(folder, { recursive: true, force: true })
  const flags = ['--no-save', '--no-audit', '--no-fund', '--no-package-lock', '--prefix', folder]
  try {
    await run('npm', ['install', ...flags, `node@${major}`], {
      cwd: folder,
      timeout: 300_000,
      env: plainEnvironment(),
    })
    const binary = join(folder, 'node_modules', 'node', 'bin', 'node')
    if (!existsSync(binary)) throw new Error('the package brought no binary for this platform')
    const { stdout } = await run(binary, ['--version'])
    return {
      version: stdout.trim(),
      evaluate: (script, input) => evaluate(binary, folder, script, input),
      close,
    }
  } catch (error) {
    await close()
    console.warn(`SKIPPING TESTS: node@${major} could not be installed: ${String(error).slice(0, 400)}`)
    return undefined
  }
}

/** npm's own variables would make the inner npm work on this checkout. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_(?!config_registry)|INIT_CWD)/i.test(name)),
  )
}

async function evaluate(binary: string, folder: string, script: string, input: unknown): Promise<unknown> {
  const [code, data] = [join(folder, 'script.cjs'), join(folder, 'input.json')]
  const call = `\nconst input = JSON.parse(require('node:fs').readFileSync(${JSON.stringify(data)}, 'utf8'))
process.stdout.write(JSON.stringify(globalThis.verdicts(input)))`
  await writeFile(code, script + call)
  await writeFile(data, JSON.stringify(input))
  const { stdout } = await run(binary, [code], { maxBuffer: 64 * 1024 * 1024 })
  return JSON.parse(stdout)
}
