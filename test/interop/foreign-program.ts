import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('foreign-log/main.go', import.meta.url))
/** Where Debian keeps the sources of its Go packages. */
const DISTRIBUTION = '/usr/share/gocode'
const PACKAGE = 'golang.org/x/mod/sumdb'

/** golang.org/x/mod/sumdb as a program. */
export interface ForeignProgram {
  /** Runs it; the document it printed, or the reason why it refused. */
  run(...args: readonly string[]): Promise<ForeignAnswer>
  remove(): void
}

export type ForeignAnswer = { readonly document: unknown } | { readonly refusal: string }

/** Builds the program; undefined, with a warning, on a machine without Go or without the packages. */
export function buildForeignProgram(): ForeignProgram | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-foreign-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const env = {
    ...process.env,
    GO111MODULE: 'off',
    GOPATH: [process.env['GOPATH'] ?? '', DISTRIBUTION].filter((path) => path !== '').join(delimiter),
    GOCACHE: join(folder, 'cache'),
  }
  const program = join(folder, process.platform === 'win32' ? 'foreign.exe' : 'foreign')
  const build = (settings: NodeJS.ProcessEnv) =>
    spawnSync('go', ['build', '-o', program, source], { env: settings, encoding: 'utf8' })
  // As the machine would build it, its compiled standard library is used as it is. A machine may lack a C compiler.
  let built = build(env)
  if (built.status !== 0) built = build({ ...env, CGO_ENABLED: '0' })
  if (built.error !== undefined || built.stderr.includes('cannot find package')) {
    remove()
    console.warn(`SKIPPING TESTS: Go with ${PACKAGE} is not on this machine`)
    return undefined
  }
  if (built.status !== 0) throw new Error(`the Go program does not build: ${built.stderr}`)
  return { run: (...args) => run(program, args), remove }
}

function run(program: string, args: readonly string[]): Promise<ForeignAnswer> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve({ document: JSON.parse(out) })
      else if (code === 1) resolve({ refusal: err.trim() })
      else reject(new Error(`the Go program ended with ${String(code)}: ${err}`))
    })
  })
}
