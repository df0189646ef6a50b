import type { JsonValue } from '../../core/index.js'
import { isTypography } from '../typography.js'
import { isEqual, noteKeyword, valueOf, type SchemaPair } from './pair.js'

/** `title`: case, blanks and punctuation are looks, everything else words. */
export function compareTitle(pair: SchemaPair): void {
  if (isEqual(pair, 'title')) return
  const [before, after] = [valueOf(pair.a, 'title'), valueOf(pair.b, 'title')]
  if (typeof before === 'string' && typeof after === 'string' && isTypography(before, after)) {
    noteKeyword(pair, 'title', 'typography', 'cosmetic', 'the title is written differently')
  } else noteKeyword(pair, 'title', 'text', 'text', 'the title says something else')
}

/** Words for the reader, which demand nothing. */
export function compareWords(pair: SchemaPair): void {
  for (const keyword of ['description', '$comment', 'examples', 'example']) {
    if (!isEqual(pair, keyword)) noteKeyword(pair, keyword, 'text', 'text', `${keyword} says something else`)
  }
  for (const keyword of ['deprecated', 'readOnly', 'writeOnly']) {
    const [before, after] = [pair.a, pair.b].map((view) => valueOf(view, keyword) ?? false)
    if (before !== after) noteKeyword(pair, keyword, 'keyword', 'text', `${keyword} says something else`)
  }
}

/**
 * `default`: a model reads it and hosts fill it in. One that is new or gone may only say what was so before: a text.
 * Another one in its place changes what happens when nobody says anything.
 */
export function compareDefault(pair: SchemaPair): void {
  if (isEqual(pair, 'default')) return
  const isReplaced = [pair.a, pair.b].every((view) => valueOf(view, 'default') !== undefined)
  noteKeyword(pair, 'default', 'default', isReplaced ? 'widened' : 'text', 'the default is another one')
}

const DIALECT = /^https?:\/\/json-schema\.org\/(?:draft-0[4567]|draft\/2019-09|draft\/2020-12)\/schema#?$/

/** `$schema`: among the known dialects hosts differ little; in one of its own, keywords may mean anything. */
export function compareDialect(pair: SchemaPair): void {
  if (isEqual(pair, '$schema')) return
  const after: JsonValue = valueOf(pair.b, '$schema') ?? ''
  const isKnown = after === '' || (typeof after === 'string' && DIALECT.test(after))
  noteKeyword(pair, '$schema', 'dialect', isKnown ? 'text' : 'dangerous', 'the dialect is another one')
}

/** What moves the meaning of references, or of keywords. */
export function compareAnchors(pair: SchemaPair): void {
  for (const keyword of ['$id', '$dynamicAnchor', '$recursiveAnchor', '$vocabulary']) {
    if (isEqual(pair, keyword)) continue
    const level = valueOf(pair.b, keyword) === undefined ? 'text' : 'dangerous'
    noteKeyword(pair, keyword, 'reference', level, `${keyword} moves what references mean`)
  }
}

/** `x-mcp-header`: what a model writes goes where proxies and logs read it. */
export function compareHeader(pair: SchemaPair): void {
  if (isEqual(pair, 'x-mcp-header')) return
  const isGone = valueOf(pair.b, 'x-mcp-header') === undefined
  const text = `the argument is ${isGone ? 'no longer' : 'now'} copied into a header`
  noteKeyword(pair, 'x-mcp-header', 'header', isGone ? 'narrowed' : 'dangerous', text)
}
