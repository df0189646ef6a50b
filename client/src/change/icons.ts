import { canonicalize, isJsonObject, type JsonObject, type JsonValue } from '../core/index.js'
import type { ChangeClass } from './class.js'
import type { Ledger } from './ledger.js'
import { below, type Place } from './places.js'

/** What an icon may say beside where it is, without being read as words. */
const PLAIN: Readonly<Record<string, RegExp>> = {
  src: /^(?:https?:\/\/[^\s@\\]+|data:image\/(?:png|jpeg|webp|gif|avif);base64,[A-Za-z0-9+/]*={0,2})$/,
  mimeType: /^image\/(?:png|jpe?g|webp|gif|avif|bmp|x-icon|vnd\.microsoft\.icon)$/,
  sizes: /^(?:any|\d{1,5}x\d{1,5})$/,
  theme: /^(?:light|dark)$/,
}

/**
 * Icons: other bytes from the directory they came from before are looks. From elsewhere, or where there was none, they are a claim
 * of who speaks. Drawings that can carry text and scripts are never mere looks.
 */
export function compareIcons(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  place: Place,
  { note }: Ledger,
): void {
  const [a, b] = [listOf(before), listOf(after)]
  if (a === undefined || b === undefined) {
    note('icon', 'widened', place, () => ({ text: 'icons are no list of objects', before, after }))
    return
  }
  const old = new Set(a.map((icon) => canonicalize(icon)))
  const origins = new Set(a.map(originOf))
  const directories = new Set(a.map(directoryOf))
  let isNew = false
  for (const [i, icon] of b.entries()) {
    if (old.has(canonicalize(icon))) continue
    isNew = true
    note('icon', classOf(icon, origins, directories), below(place, i), () => ({
      text: 'an icon is another one',
      after: icon,
    }))
  }
  if (!isNew)
    note('icon', 'cosmetic', place, () => ({ text: 'an icon is gone, or they stand in another order' }))
}

function listOf(value: JsonValue | undefined): readonly JsonObject[] | undefined {
  if (value === undefined) return []
  if (!Array.isArray(value)) return undefined
  const icons = value.filter(isJsonObject)
  return icons.length === value.length ? icons : undefined
}

function classOf(
  icon: JsonObject,
  origins: ReadonlySet<string>,
  directories: ReadonlySet<string>,
): ChangeClass {
  const origin = originOf(icon)
  if (origin === '') return 'dangerous'
  if (origins.size > 0 && !origins.has(origin) && origin !== DATA) return 'dangerous'
  const isLooks = directories.has(directoryOf(icon)) && isPlain(icon) && !isDrawing(icon)
  return isLooks ? 'cosmetic' : 'text'
}

const DATA = 'data:'

/** Where the bytes come from; empty for what is neither the web nor written out. */
function originOf({ src }: JsonObject): string {
  if (typeof src !== 'string') return ''
  if (/^data:image\//i.test(src)) return DATA
  try {
    const { protocol, origin } = new URL(src)
    return protocol === 'https:' || protocol === 'http:' ? origin : ''
  } catch {
    // Not an address: nobody can say what a host would load.
    return ''
  }
}

/** A name of a few words and a short version behind it; a longer one is read like a text. */
const FILE = /^[a-z0-9]{1,16}(?:[_.-][a-z0-9]{1,16}){0,3}(?:\?(?:v=)?[a-z0-9.]{1,40})?$/i

/** Origins are shared: who owns what lies there is told by the directory. No directory of its own is nobody's. */
function directoryOf(icon: JsonObject): string {
  const origin = originOf(icon)
  const src = typeof icon['src'] === 'string' ? icon['src'] : ''
  if (origin === DATA) return DATA
  const at = src.split('?', 1).join('').lastIndexOf('/') + 1
  return origin !== '' && FILE.test(src.slice(at)) ? src.slice(0, at) : `no file: ${src}`
}

function isPlain(icon: JsonObject): boolean {
  return Object.keys(icon).every((member) => {
    const value = icon[member]
    const form = Object.hasOwn(PLAIN, member) ? PLAIN[member] : undefined
    return (Array.isArray(value) ? value : [value]).every(
      (one) => typeof one === 'string' && form?.test(one) === true,
    )
  })
}

function isDrawing({ src, mimeType }: JsonObject): boolean {
  const drawn = /svg|xml/i
  return [src, mimeType].some((text) => typeof text === 'string' && drawn.test(text.slice(0, 2048)))
}
