/** What a change means: two tools or two manifests in, changes with their classes out (PROTOCOL 12). Pure. */
export {
  CHANGE_CLASSES,
  CHANGE_TABLE,
  changeClass,
  compareClasses,
  type ChangeClass,
  type ChangeRow,
  type Reaction,
} from './change/class.js'
export { CHANGE_KINDS, type Change, type ChangeKind, type Comparison } from './change/types.js'
export { compareManifests, compareTools } from './change/compare.js'
export type { Finding } from './gates/index.js'
