/** Why a character is hidden, or changes how its neighbours are shown. */
export type HiddenKind = 'control' | 'ansi' | 'bidi' | 'zero-width' | 'tag' | 'variation' | 'surrogate'

export interface Hidden {
  readonly kind: HiddenKind
  /** Position in UTF-16 units. */
  readonly at: number
  readonly codePoint: number
}

// Everything that is printable ASCII, tab or line feed is plain; most texts end here.
const SUSPECT = /[^\t\n\x20-\x7e]/
const INVISIBLE =
  /[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}\u2028\u2029\u2800]/u
// Format characters that print something of their own: Arabic number signs and their relatives.
const VISIBLE_FORMAT = /[\u0600-\u0605\u06dd\u0890\u0891\u08e2\u{110bd}\u{110cd}]/u
const BIDI_MARK = /[\u061c\u200e\u200f]/
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/
const RTL_LETTER = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u
const TAG = /[\u{e0000}-\u{e007f}]/u
const VARIATION = /[\u180b-\u180d\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u
// Scripts in which the joiners U+200C and U+200D are ordinary spelling.
const JOINING =
  /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Nko}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]/u
const EMOJI_END = /[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f]/u
const PICTURE = /\p{Extended_Pictographic}/u
const SYMBOL = /[\p{Extended_Pictographic}\p{So}\p{Sm}\p{Po}\p{Sc}]/u
const KEYCAP_BASE = /[0-9#*]/
const HAN = /\p{Script=Han}/u
const MONGOLIAN = /\p{Script=Mongolian}/u
// The only tag sequences in use: the flags of England, Scotland and Wales. Others could carry text of their own.
const FLAG_BASE = 0x1f3f4
const FLAGS = ['gbeng', 'gbsct', 'gbwls'].map((flag) => `${inTags(flag)}\u{e007f}`)

function inTags(ascii: string): string {
  return Array.from(ascii, (letter) => String.fromCodePoint(0xe0000 + codeOf(letter))).join('')
}

/**
 * The characters of a text that a reader does not see or that change what is seen. Emoji sequences, the joiners of
 * scripts that spell with them, direction marks inside right-to-left text, and CR LF are honest and not reported.
 */
export function* findHidden(text: string): Generator<Hidden, void, undefined> {
  if (!SUSPECT.test(text)) return
  const rightToLeft = RTL_LETTER.test(text)
  let before = ''
  for (let at = 0; at < text.length;) {
    const flag = flagLength(text, at)
    const char = charAt(text, at)
    const length = flag === 0 ? char.length : flag
    if (flag === 0 && isSuspect(char)) {
      const after = charAt(text, at + length)
      const kind = judge({ char, before, after, rightToLeft })
      if (kind !== undefined) yield { kind, at, codePoint: codeOf(char) }
    }
    at += length
    before = char
  }
}

/** The text with every such character written as `\u{…}`; what is left can be printed. */
export function showHidden(text: string): string {
  let shown = ''
  let from = 0
  for (const { at, codePoint } of findHidden(text)) {
    shown += `${text.slice(from, at)}\\u{${codePoint.toString(16).toUpperCase().padStart(4, '0')}}`
    from = at + (codePoint > 0xffff ? 2 : 1)
  }
  return shown + text.slice(from)
}

/** A suspect character with its neighbours; a neighbour is empty at the text's ends. */
interface Place {
  readonly char: string
  readonly before: string
  readonly after: string
  readonly rightToLeft: boolean
}

function charAt(text: string, at: number): string {
  const code = text.codePointAt(at)
  return code === undefined ? '' : String.fromCodePoint(code)
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0
}

function isSuspect(char: string): boolean {
  return SUSPECT.test(char) && INVISIBLE.test(char) && !VISIBLE_FORMAT.test(char)
}

/** Length of a whole flag sequence that starts here. */
function flagLength(text: string, at: number): number {
  if (text.codePointAt(at) !== FLAG_BASE) return 0
  const flag = FLAGS.find((tags) => text.startsWith(tags, at + 2))
  return flag === undefined ? 0 : 2 + flag.length
}

function judge(place: Place): HiddenKind | undefined {
  const code = codeOf(place.char)
  if (code === 0x1b || code === 0x9b) return 'ansi'
  if (code === 0x0d) return place.after === '\n' ? undefined : 'control'
  if (code <= 0x9f || code === 0x2028 || code === 0x2029) return 'control'
  if (code >= 0xd800 && code <= 0xdfff) return 'surrogate'
  if (BIDI.test(place.char)) return isHonestMark(place) ? undefined : 'bidi'
  if (TAG.test(place.char)) return 'tag'
  if (VARIATION.test(place.char)) return isHonestVariation(place) ? undefined : 'variation'
  return isHonestJoiner(place) ? undefined : 'zero-width'
}

/** A single mark in a text that runs right to left; a row of them is a message. */
function isHonestMark({ char, before, after, rightToLeft }: Place): boolean {
  return rightToLeft && BIDI_MARK.test(char) && !BIDI.test(before) && !BIDI.test(after)
}

function isHonestJoiner({ char, before, after }: Place): boolean {
  if (char === '\u200d' && EMOJI_END.test(before)) return PICTURE.test(after)
  return (char === '\u200d' || char === '\u200c') && JOINING.test(before)
}

/** One selector behind a character that has variants; a second one, or one behind a letter, carries data. */
function isHonestVariation({ char, before, after }: Place): boolean {
  const code = codeOf(char)
  if (code === 0xfe0e || code === 0xfe0f) {
    return KEYCAP_BASE.test(before) ? after === '\u20e3' : SYMBOL.test(before)
  }
  if (code <= 0x180f) return MONGOLIAN.test(before)
  return (code <= 0xfe02 || code >= 0xe0100) && HAN.test(before)
}
