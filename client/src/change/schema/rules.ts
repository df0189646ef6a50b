import { isJsonObject } from '../../core/index.js'
import { compareAlternatives, isLifted, liftAlternatives } from './alternatives.js'
import { compareConditions, compareItems, compareReferences, compareSubschema } from './applicators.js'
import { compareLower, compareMultiple, compareRange, compareUnique, compareUpper } from './limits.js'
import { isEqual, noteKeyword, valueOf, type Rule, type SchemaPair } from './pair.js'
import { compareDependencies, comparePatternProperties, compareProperties } from './properties.js'
import { compareFormat, compareNullable, comparePattern, compareTypes, compareValues } from './values.js'
import {
  compareAnchors,
  compareDefault,
  compareDialect,
  compareHeader,
  compareTitle,
  compareWords,
} from './words.js'

/** Definitions are compared where they apply, or by name. What is no object holds none, and is read all the same. */
const compareHolders: Rule = (pair) => {
  for (const keyword of ['$defs', 'definitions']) {
    const areMaps = [pair.a, pair.b].every((view) => isJsonObject(valueOf(view, keyword) ?? {}))
    if (areMaps || isEqual(pair, keyword)) continue
    noteKeyword(pair, keyword, 'keyword', 'widened', `${keyword} is no object`)
  }
}

/** Which rule compares which keyword. Keywords that mean something together share a rule. */
const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['type', compareTypes],
  ...each(['enum', 'const'], compareValues),
  ['format', compareFormat],
  ['pattern', comparePattern],
  ['nullable', compareNullable],
  ...each(['maxLength', 'maxItems', 'maxProperties', 'maxContains'], compareUpper),
  ...each(['minLength', 'minItems', 'minProperties', 'minContains'], compareLower),
  ...each(['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'], compareRange),
  ['multipleOf', compareMultiple],
  ['uniqueItems', compareUnique],
  ...each(['properties', 'required'], compareProperties),
  ['patternProperties', comparePatternProperties],
  ...each(['dependentRequired', 'dependentSchemas', 'dependencies'], compareDependencies),
  ...each(['items', 'prefixItems', 'additionalItems'], compareItems),
  ...each(
    [
      'additionalProperties',
      'unevaluatedProperties',
      'unevaluatedItems',
      'propertyNames',
      'contains',
      'contentSchema',
    ],
    compareSubschema,
  ),
  ...each(['allOf', 'anyOf', 'oneOf'], compareAlternatives),
  ...each(['not', 'if', 'then', 'else'], compareConditions),
  ...each(['$ref', '$dynamicRef', '$recursiveRef'], compareReferences),
  ...each(['$id', '$dynamicAnchor', '$recursiveAnchor', '$vocabulary'], compareAnchors),
  ['$schema', compareDialect],
  ['title', compareTitle],
  ...each(
    ['description', '$comment', 'examples', 'example', 'deprecated', 'readOnly', 'writeOnly'],
    compareWords,
  ),
  ['default', compareDefault],
  ['x-mcp-header', compareHeader],
  ...each(['$defs', 'definitions'], compareHolders),
])

function each(keywords: readonly string[], rule: Rule): [string, Rule][] {
  return keywords.map((keyword) => [keyword, rule])
}

/** The rules of all keywords that stand in one of two schemas, each rule once. */
export function rulesFor(pair: SchemaPair): Set<Rule> {
  const lifted = isLifted(pair)
  const rules = new Set<Rule>(lifted ? [liftAlternatives] : [])
  for (const keyword of [...pair.a.members.keys(), ...pair.b.members.keys()].sort()) {
    const rule = RULES.get(keyword) ?? compareUnknown
    if (!lifted || SAYING.has(rule)) rules.add(rule)
  }
  return rules
}

/** Rules of keywords that do not decide what is allowed: they stay with the schema whose demands become a branch. */
const SAYING: ReadonlySet<Rule> = new Set<Rule>([
  ...[compareTitle, compareWords, compareDefault, compareDialect],
  compareHolders,
])

/** Keywords we do not know: a model reads them. */
function compareUnknown(pair: SchemaPair): void {
  const keywords = new Set([...pair.a.members.keys(), ...pair.b.members.keys()])
  for (const keyword of [...keywords].sort()) {
    if (RULES.has(keyword) || isEqual(pair, keyword)) continue
    noteKeyword(pair, keyword, 'keyword', 'text', 'a keyword of its own says something else')
  }
}
