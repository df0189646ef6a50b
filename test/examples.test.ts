import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const repository = fileURLToPath(new URL('../', import.meta.url))
const sources = readdirSync(join(repository, 'client/src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => join('client/src', file))

interface Example {
  readonly where: string
  readonly code: string
}

/** Every `@example` of the library's docstrings, and every TypeScript block of its README. */
function readExamples(): Example[] {
  const fromSources = sources.flatMap((file) => {
    const blocks = readFileSync(join(repository, file), 'utf8').matchAll(
      /\* @example\n((?:[ \t]*\* ?(?!@|\/).*\n)+)/g,
    )
    return [...blocks].map((block, i) => ({
      where: `${file} #${i + 1}`,
      code: (block[1] ?? '').replaceAll(/^[ \t]*\* ?/gm, ''),
    }))
  })
  const readme = readFileSync(join(repository, 'client/README.md'), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)
  return [
    ...fromSources,
    ...[...readme].map((block, i) => ({ where: `README #${i + 1}`, code: block[1] ?? '' })),
  ]
}

const EXPORTING = [
  'countersign',
  'countersign/core',
  'countersign/node',
  'countersign/publish',
  'countersign/gates',
  'countersign/change',
  'countersign/verify',
]

/** Type-checks all examples in one program. What an example is given (bytes, a root, a folder) is declared for it. */
function checkExamples(examples: readonly Example[]): Map<string, string[]> {
  const config = ts.readConfigFile(join(repository, 'test/tsconfig.json'), (path) =>
    readFileSync(path, 'utf8'),
  )
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, join(repository, 'test'))
  const files = new Map(examples.map(({ code }, i) => [join(repository, `test/example-${i}.ts`), code]))
  const host = ts.createCompilerHost({ ...options, noUnusedLocals: false })
  const real = { ...host }
  host.fileExists = (name) => files.has(name) || real.fileExists(name)
  host.readFile = (name) => files.get(name) ?? real.readFile(name)
  host.getSourceFile = (name, ...rest) => {
    const text = files.get(name)
    return text === undefined
      ? real.getSourceFile(name, ...rest)
      : ts.createSourceFile(name, text, ts.ScriptTarget.ES2023)
  }
  const program = () =>
    ts.createProgram(
      [...files.keys()],
      { ...options, noUnusedLocals: false, noUnusedParameters: false },
      host,
    )
  const exported = exportsOf(program())
  for (const [name, code] of files) files.set(name, `${importsFor(code, exported)}${code}\nexport {}\n`)
  const unknown = missingNames(program(), files)
  for (const [name, code] of files) {
    const given = (unknown.get(name) ?? []).map((missing) => `declare const ${missing}: any\n`)
    files.set(name, given.join('') + code)
  }
  const checked = program()
  return new Map(
    examples.map(({ where }, i) => {
      const source = checked.getSourceFile(join(repository, `test/example-${i}.ts`))
      const found =
        source === undefined ? ['not found'] : ts.getPreEmitDiagnostics(checked, source).map(messageOf)
      return [where, found]
    }),
  )
}

const messageOf = ({ messageText }: ts.Diagnostic): string =>
  ts.flattenDiagnosticMessageText(messageText, '\n')

/** Which entry point exports a name, the most general first. */
function exportsOf(program: ts.Program): Map<string, string> {
  const checker = program.getTypeChecker()
  const names = new Map<string, string>()
  for (const entry of EXPORTING) {
    const source = ts.resolveModuleName(
      entry,
      join(repository, 'test/x.ts'),
      program.getCompilerOptions(),
      ts.sys,
    )
    const file = source.resolvedModule && program.getSourceFile(source.resolvedModule.resolvedFileName)
    const symbol = file && checker.getSymbolAtLocation(file)
    for (const one of symbol ? checker.getExportsOfModule(symbol) : []) {
      if (!names.has(one.name)) names.set(one.name, entry)
    }
  }
  return names
}

function importsFor(code: string, exported: ReadonlyMap<string, string>): string {
  if (/^import /m.test(code)) return ''
  const used = new Set(code.match(/\b[A-Za-z_$][\w$]*\b/g))
  const declared = new Set([...code.matchAll(/\b(?:const|let|function|class)\s+(\w+)/g)].map((m) => m[1]))
  return [...used]
    .filter((name) => exported.has(name) && !declared.has(name))
    .map((name) => `import { ${name} } from '${exported.get(name) ?? ''}'\n`)
    .join('')
}

function missingNames(program: ts.Program, files: ReadonlyMap<string, string>): Map<string, string[]> {
  return new Map(
    [...files.keys()].map((name) => {
      const source = program.getSourceFile(name)
      const found = source === undefined ? [] : ts.getPreEmitDiagnostics(program, source)
      const names = found
        .filter(({ code }) => code === 2304 || code === 18004)
        .map((one) => /'(\w+)'/.exec(messageOf(one))?.[1] ?? '')
      return [name, [...new Set(names)].filter((one) => one !== '')]
    }),
  )
}

describe('examples in docstrings and README', () => {
  const examples = readExamples()
  // The entry points are part of the program so that their exports are known.
  const entries: Example = {
    where: 'entry points',
    code: EXPORTING.map((entry) => `import '${entry}'\n`).join(''),
  }
  const results = checkExamples([...examples, entries])

  it('exist', () => {
    expect(examples.length).toBeGreaterThan(5)
  })

  it.each([...results])('%s compiles', (_, problems) => {
    expect(problems).toEqual([])
  })

  it('would notice a mistake', () => {
    const wrong = checkExamples([{ where: 'wrong', code: "toolDigest()\nsomething.given('x')\n" }, entries])
    expect(wrong.get('wrong')).toEqual([expect.stringContaining('Expected 1-2 arguments')])
  })
})
