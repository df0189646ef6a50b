import {
  canonicalize,
  coveredItem,
  CountersignError,
  isToolName,
  isWellFormed,
  utf8Bytes,
  type ItemKind,
  type VerdictCode,
} from '../core/index.js'

/** Most items of one kind, and most bytes of canonical text of one listing, that a host takes in (PROTOCOL 14). */
export const MAX_LIVE_ITEMS = 1000
export const MAX_LIVE_BYTES = 8 * 1024 * 1024

/** A live item, read once. From here on only `text` is looked at: what the object says later changes nothing. */
export interface LiveItem {
  readonly kind: ItemKind
  readonly name: string
  readonly text: string
}

/** A live item that is withheld whatever was signed. */
export interface BadItem {
  readonly kind: ItemKind
  readonly name: string
  readonly code: VerdictCode
  readonly why?: string
}

export interface LiveList {
  readonly items: readonly LiveItem[]
  readonly bad: readonly BadItem[]
  /** The listing is larger than a host takes in: nothing of it is used. */
  readonly tooMuch: boolean
}

/** What a server says it offers, as the transport delivered it. */
export interface LiveInput {
  readonly tools: readonly unknown[]
  readonly instructions?: string | undefined
  readonly prompts?: readonly unknown[] | undefined
  readonly resourceTemplates?: readonly unknown[] | undefined
  readonly resources?: readonly unknown[] | undefined
}

/**
 * Reads hostile objects into plain text: covered members only, own members only, each read once, so that a proxy, a
 * getter or a `toJSON` can say one thing or fail, and never two things. Names that stand twice hide both (A16).
 */
export function readLive(input: LiveInput): LiveList {
  const reader = { items: new Map<string, LiveItem>(), bad: new Map<string, BadItem>(), left: MAX_LIVE_BYTES }
  const groups: readonly (readonly [ItemKind, readonly unknown[]])[] = [
    ['instructions', input.instructions === undefined ? [] : [{ text: input.instructions }]],
    ['tool', input.tools],
    ['prompt', input.prompts ?? []],
    ['template', input.resourceTemplates ?? []],
    ['resource', input.resources ?? []],
  ]
  for (const [kind, list] of groups) {
    if (list.length > MAX_LIVE_ITEMS) return { items: [], bad: [], tooMuch: true }
    for (let i = 0; i < list.length; i++) {
      readItem(reader, kind, list[i], i)
      if (reader.left < 0) return { items: [], bad: [], tooMuch: true }
    }
  }
  return { items: [...reader.items.values()], bad: [...reader.bad.values()], tooMuch: false }
}

interface Reader {
  readonly items: Map<string, LiveItem>
  readonly bad: Map<string, BadItem>
  left: number
}

function readItem(reader: Reader, kind: ItemKind, value: unknown, position: number): void {
  const item = readOne(kind, value, position)
  const key = `${kind} ${item.name}`
  if (reader.items.has(key) || reader.bad.has(key)) {
    reader.items.delete(key)
    reader.bad.set(key, { kind, name: item.name, code: 'duplicate-name' })
  } else if ('text' in item) {
    reader.items.set(key, item)
  } else {
    reader.bad.set(key, item)
  }
  if ('text' in item) reader.left -= sizeOf(item.text, reader.left)
}

/** A UTF-16 unit is at most three bytes: only near the cap is it worth counting. */
function sizeOf(text: string, left: number): number {
  return text.length * 3 > left ? utf8Bytes(text).length : text.length
}

const NAME_MEMBER = { tool: 'name', prompt: 'name', template: 'uriTemplate', resource: 'uri' } as const

function readOne(kind: ItemKind, value: unknown, position: number): LiveItem | BadItem {
  const placeholder = `#${position + 1}`
  let name = placeholder
  try {
    const covered = coveredItem(kind, value)
    const given = kind === 'instructions' ? 'instructions' : covered[NAME_MEMBER[kind]]
    if (!isNameOf(kind, given)) {
      return { kind, name: placeholder, code: 'malformed-tool', why: 'its name is not well-formed' }
    }
    name = given
    return { kind, name, text: canonicalize(covered) }
  } catch (error) {
    // Whatever a hostile getter or trap throws, the item is malformed and the others are read on.
    const why = error instanceof CountersignError ? error.code : 'it could not be read'
    return { kind, name, code: 'malformed-tool', why }
  }
}

function isNameOf(kind: ItemKind, name: unknown): name is string {
  if (kind === 'tool') return isToolName(name)
  return typeof name === 'string' && name !== '' && name.length <= 2048 && isWellFormed(name)
}
