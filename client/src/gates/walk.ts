/** The way to a value: member names and positions. One stack is pushed and popped while walking. */
export type Path = (string | number)[]

const MAX_POINTER = 512

/**
 * The RFC 6901 pointer of a path, or that of the nearest ancestor that can be named in a bounded length: a name of
 * a megabyte is not repeated in every finding below it.
 */
export function pointerOf(path: Path): string {
  let pointer = ''
  for (const token of path) {
    const name = String(token)
    if (pointer.length + name.length > MAX_POINTER) return pointer
    pointer += `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
  }
  return pointer
}

export interface Visitor {
  /** A text, or the name of the member that the path leads to. */
  readonly text?: (text: string, path: Path, isName: boolean) => void
  readonly container?: (value: object, path: Path) => void
}

/** Every container and text of a JSON value in document order. Depth is bounded by the parser (64). */
export function walk(value: unknown, path: Path, visitor: Visitor): void {
  if (typeof value === 'string') visitor.text?.(value, path, false)
  if (typeof value !== 'object' || value === null) return
  visitor.container?.(value, path)
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) step(value[i], i, path, visitor)
    return
  }
  for (const key of Object.keys(value))
    step((value as Readonly<Record<string, unknown>>)[key], key, path, visitor)
}

function step(value: unknown, token: string | number, path: Path, visitor: Visitor): void {
  path.push(token)
  if (typeof token === 'string') visitor.text?.(token, path, true)
  walk(value, path, visitor)
  path.pop()
}
