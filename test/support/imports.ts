import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'

/** Sources that may know of each other, what they may know besides, and the packages they may use. Types count like values. */
export interface Room {
  readonly name: string
  readonly holds: RegExp
  readonly rooms: readonly string[]
  readonly packages: RegExp
}

export interface Import {
  readonly file: string
  readonly line: number
  readonly specifier: string
  readonly typeOnly: boolean
}

/** Every import of a source text: declarations, re-exports, `import()` of values and of types, `require`. */
function importsOf(file: string, text: string): Import[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node)
    if (specifier !== undefined) {
      const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
      found.push({ file, line, specifier, typeOnly: isTypeOnly(node) })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function specifierOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)
      ? node.moduleSpecifier.text
      : undefined
  }
  if (ts.isImportTypeNode(node)) {
    return ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)
      ? node.argument.literal.text
      : '(computed)'
  }
  if (!ts.isCallExpression(node)) return undefined
  const called = node.expression
  const loads =
    called.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(called) && called.text === 'require')
  const [argument] = node.arguments
  return !loads
    ? undefined
    : argument !== undefined && ts.isStringLiteralLike(argument)
      ? argument.text
      : '(computed)'
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportTypeNode(node)) return true
  if (ts.isExportDeclaration(node)) return node.isTypeOnly
  return ts.isImportDeclaration(node) && node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
}

/** A tree of sources: paths below its root, with their text. */
export type Tree = ReadonlyMap<string, string>

export function readTree(root: string): Tree {
  const names = existsSync(root) ? readdirSync(root, { recursive: true, encoding: 'utf8' }) : []
  const sources = names.map((name) => name.replaceAll('\\', '/')).filter((name) => name.endsWith('.ts'))
  return new Map(sources.sort().map((name) => [name, readFileSync(join(root, name), 'utf8')]))
}

function target(from: string, specifier: string): string {
  return join(dirname(from), specifier).replaceAll('\\', '/').replace(/\.js$/, '.ts')
}

/** What is wrong with the arrows of a tree, one line each: file, line, and the import at fault. */
export function offences(tree: Tree, rooms: readonly Room[]): string[] {
  const wrong: string[] = []
  for (const [file, text] of tree) {
    const here = rooms.find(({ holds }) => holds.test(file))
    if (here === undefined) wrong.push(`${file}: stands in no room of the table`)
    else wrong.push(...importsOf(file, text).flatMap((one) => offence(one, here, tree, rooms)))
  }
  return wrong
}

function offence(
  { file, line, specifier }: Import,
  here: Room,
  tree: Tree,
  rooms: readonly Room[],
): string[] {
  const where = `${file}:${line} (${here.name}) imports ${specifier}`
  if (!specifier.startsWith('.'))
    return here.packages.test(specifier) ? [] : [`${where}: not a package of this room`]
  const path = target(file, specifier)
  const there = rooms.find(({ holds }) => holds.test(path))
  if (there === undefined || !tree.has(path)) return [`${where}: no such source`]
  const allowed = there.name === here.name || here.rooms.includes(there.name)
  return allowed ? [] : [`${where}: ${here.name} may not know ${there.name}`]
}

/** Packages that the values of a module need at run time, followed through the tree. */
export function reachable(tree: Tree, entry: string, seen = new Set<string>()): string[] {
  if (seen.has(entry)) return []
  seen.add(entry)
  const imports = importsOf(entry, tree.get(entry) ?? '').filter(({ typeOnly }) => !typeOnly)
  return imports.flatMap(({ file, line, specifier }) =>
    specifier.startsWith('.')
      ? reachable(tree, target(file, specifier), seen)
      : [`${file}:${line} ${specifier}`],
  )
}
