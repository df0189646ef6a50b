/** What a host was told to do with what it finds (PROTOCOL 13): types, strict parsing, and who may speak for a name. */
export {
  DEFAULT_HOST_POLICY,
  HOST_POLICY_FORMAT,
  MAX_POLICY_BYTES,
  type HostPolicy,
  type Strictness,
} from './host-policy/types.js'
export { checkHostPolicy, parseHostPolicy } from './host-policy/parse.js'
export { EVERY_NAME, registryFor } from './host-policy/registries.js'
export { hostLimits } from './host-policy/freshness.js'
export { openPolicySource, type PolicySource } from './host-policy/served.js'
