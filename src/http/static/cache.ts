import { LARGEST_KEPT, sizeOf, type Document } from './document.js'

const MAX_BYTES = 64 * 1024 * 1024
const MAX_KEY = 512

/** Documents up to a number of bytes: the oldest ones leave first, except those that were asked for meanwhile. */
export interface Cache {
  get(key: string): Document | undefined
  /**
   * Makes a document once for all who ask meanwhile, and keeps it unless it was touched meanwhile. What was missing for
   * one is looked for again for the next. `target`: what it is about before more is known of it; absent when nothing
   * touches it.
   */
  make(key: string, read: Read, target?: string): Promise<Document | undefined>
  /** Whether anything is kept or being made that could be touched. */
  holdsTouchable(): boolean
  /** Forgets what is about one of these. */
  touch(targets: ReadonlySet<string>): void
  /** Forgets whatever could be touched. */
  touchAll(): void
}

type Read = () => Promise<Document | undefined>

interface Making {
  readonly key: string
  readonly result: Promise<Document | undefined>
  readonly target: string | undefined
  isOutdated: boolean
}

interface Kept {
  readonly document: Document
  /** Asked for since it was put where it is. */
  isUsed: boolean
}

export function openCache(maxBytes = MAX_BYTES): Cache {
  const documents = new Map<string, Kept>()
  const making = new Map<string, Making>()
  /** Of what is being made, that which can be touched. */
  const underWay = new Set<Making>()
  let bytes = 0
  let touchable = 0

  const drop = (key: string): void => {
    const found = documents.get(key)?.document
    if (found === undefined) return
    bytes -= sizeOf(found)
    if (found.about.length > 0) touchable--
    documents.delete(key)
  }
  /** Whatever was used is passed over once: to move it at every use would cost every reader more than this does. */
  const makeRoom = (): void => {
    for (const [oldest, kept] of documents) {
      if (bytes <= maxBytes) break
      if (!kept.isUsed) {
        drop(oldest)
        continue
      }
      documents.delete(oldest)
      documents.set(oldest, { ...kept, isUsed: false })
    }
  }
  const put = (key: string, found: Document): void => {
    drop(key)
    if (found.plain.body.length > LARGEST_KEPT || key.length > MAX_KEY) return
    documents.set(key, { document: found, isUsed: false })
    bytes += sizeOf(found)
    if (found.about.length > 0) touchable++
    makeRoom()
  }
  const end = (mine: Making): void => {
    underWay.delete(mine)
    if (making.get(mine.key) === mine) making.delete(mine.key)
  }
  const start = async (key: string, read: Read, target?: string): Promise<Document | undefined> => {
    const mine: Making = { key, result: read(), target, isOutdated: false }
    making.set(key, mine)
    if (target !== undefined) underWay.add(mine)
    try {
      const found = await mine.result
      if (found !== undefined && !mine.isOutdated) put(key, found)
      return found
    } finally {
      end(mine)
    }
  }
  /** A server or a tool may be one of any manifest's whose row is still being read. */
  const outdate = (isTouched: (target: string) => boolean): void => {
    for (const one of underWay) {
      if (one.target === undefined || !isTouched(one.target)) continue
      one.isOutdated = true
      end(one)
    }
  }
  const forget = (isTouched: (document: Document) => boolean): void => {
    if (touchable === 0) return
    for (const [key, { document }] of documents) {
      if (document.about.length > 0 && isTouched(document)) drop(key)
    }
  }
  return {
    get(key) {
      const found = documents.get(key)
      if (found === undefined) return undefined
      found.isUsed = true
      return found.document
    },
    async make(key, read, target) {
      const found = await making.get(key)?.result
      return found ?? start(key, read, target)
    },
    holdsTouchable: () => touchable > 0 || underWay.size > 0,
    touch(targets) {
      const isWide = [...targets].some((target) => !target.startsWith('manifest:'))
      outdate((target) => isWide || targets.has(target))
      forget(({ about }) => about.some((target) => targets.has(target)))
    },
    touchAll() {
      outdate(() => true)
      forget(() => true)
    },
  }
}
