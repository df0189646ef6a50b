export { openValidator } from './validator.js'
export { MAX_SCHEMA_CHARS } from './compile.js'
export type { SchemaCheck, SchemaFault, SchemaValidator, UncheckedReason } from '../guard/ports.js'
