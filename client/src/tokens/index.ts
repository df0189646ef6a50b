export { tokenFacts, type TokenFactsOptions } from './facts.js'
export type { Introspection } from './introspection.js'
export type { TokenFacts } from '../guard/index.js'
