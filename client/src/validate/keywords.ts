import { _, Name, type Ajv, type KeywordCxt } from 'ajv'
import type { Ajv2019 } from 'ajv/dist/2019.js'
import type { Ajv2020 } from 'ajv/dist/2020.js'
import { canonicalize, type JsonValue } from '../core/index.js'
import type { Budget } from './budget.js'
import { isMultiple } from './decimal.js'

export type Compiler = Ajv | Ajv2019 | Ajv2020

/** Puts our own in the place of the keywords that take more than linear time, or that say what the specification does not. */
export function replaceKeywords(compiler: Compiler, budget: Budget): void {
  replaceUnevaluated(compiler)
  compiler.removeKeyword('uniqueItems')
  compiler.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    errors: false,
    validate: (wanted: boolean, items: readonly JsonValue[]) => !wanted || areUnique(items, budget),
  })
  // The compiler's own divides doubles, to which 19.99 is no multiple of 0.01.
  addLimit(compiler, 'multipleOf', 'number', (step, value) => {
    budget.spend(64)
    return typeof value === 'number' && isMultiple(value, step)
  })
  addLimit(compiler, 'maxLength', 'string', (most, text) => !isLonger(text, most, budget))
  addLimit(compiler, 'minLength', 'string', (least, text) => isLonger(text, least - 1, budget))
}

function addLimit(
  compiler: Compiler,
  keyword: string,
  type: 'number' | 'string',
  validate: (limit: number, value: unknown) => boolean,
): void {
  compiler.removeKeyword(keyword)
  compiler.addKeyword({ keyword, type, schemaType: 'number', errors: false, validate })
}

/** By canonical text: the compiler's own way compares each item with every other. */
function areUnique(items: readonly JsonValue[], budget: Budget): boolean {
  const seen = new Set<string>()
  for (const item of items) {
    const text = canonicalize(item)
    budget.spend(text.length)
    if (seen.has(text)) return false
    seen.add(text)
  }
  return true
}

/** In code points, which are counted only where the number of code units leaves it open; each count is paid for. */
function isLonger(text: unknown, limit: number, budget: Budget): boolean {
  if (typeof text !== 'string' || text.length <= limit) return false
  if (text.length > 2 * limit + 1) return true
  budget.spend(1 + Math.ceil(text.length / 2))
  let points = 0
  for (let at = 0; at < text.length; points++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  return points > limit
}

/**
 * What was evaluated stands in an object, which has `constructor` and the like from its prototype: they count as evaluated
 * there, and get past `unevaluatedProperties: false`. Before it is looked at, the object loses its prototype.
 */
function replaceUnevaluated(compiler: Compiler): void {
  const keyword = 'unevaluatedProperties'
  const own = compiler.getKeyword(keyword)
  if (typeof own !== 'object' || !('code' in own)) return
  const { type, schemaType, trackErrors, error, code } = own
  compiler.removeKeyword(keyword)
  compiler.addKeyword({
    keyword,
    type,
    schemaType,
    ...(trackErrors !== undefined && { trackErrors }),
    ...(error !== undefined && { error }),
    code(context: KeywordCxt) {
      const { gen, it } = context
      const { props } = it
      if (props instanceof Name) {
        gen.if(_`${props} && ${props} !== true`, () => {
          gen.assign(props, _`Object.assign(Object.create(null), ${props})`)
        })
      }
      code(context)
    },
  })
}
