/**
 * Countersign for hosts: verify what an MCP server offers before a model sees it. Runs in Node, browsers and workers;
 * files and keys are in `countersign/node`, the formats in `countersign/core`.
 */
export { openHost, type Host, type HostOptions } from './host.js'
export { openHosts, type Hosts, type HostsOptions } from './hosts.js'
export type { Review, ReviewedItem, ReviewedTool, ReviewInput, Withheld } from './review.js'
export type { HostEvent } from './review/events.js'
export {
  QUESTION_REASONS,
  type Consent,
  type ExplainedQuestion,
  type Question,
  type QuestionReason,
  type Side,
} from './consent/types.js'
export type { Freshness } from './freshness.js'
export type { FactSource } from './review/judge.js'
export {
  DEFAULT_HOST_POLICY,
  HOST_POLICY_FORMAT,
  parseHostPolicy,
  type HostPolicy,
  type Strictness,
} from './host-policy.js'
export {
  memoryInProcess,
  type Accepted,
  type Evidence,
  type LogMemory,
  type Memory,
  type ServerKey,
  type ServerMemory,
  type WorldMemory,
} from './memory.js'
export {
  registryApi,
  type LookupResult,
  type RegistryApi,
  type RegistryApiOptions,
  type VersionSummary,
} from './registry-api.js'
export { openTrust, pinTrust, walkRoot, type PinnedTrust, type Trust } from './trust.js'
export { explainVerdict, isVerdict, VERDICT_CODES, type Explanation } from './verdict.js'
export {
  readBundleSize,
  verifyBundle,
  verifyRevocations,
  verifyStatus,
  type BundleContext,
  type BundleExpectations,
  type ChainKey,
  type ItemSet,
  type KeyChain,
  type SignedForm,
  type SignedItem,
  type Step,
  type VerifiedManifest,
  type VerifiedStatus,
} from './verify.js'
export {
  CHANGE_CLASSES,
  CHANGE_KINDS,
  CHANGE_TABLE,
  changeClass,
  compareClasses,
  compareManifests,
  compareTools,
  type Change,
  type ChangeClass,
  type ChangeKind,
  type ChangeRow,
  type Comparison,
  type Finding,
  type Reaction,
} from './change.js'
export { parseOffline, type OfflineBundle } from './offline.js'
export {
  CountersignError,
  parseTrustRoot,
  toolDigest,
  type Digest,
  type ErrorCode,
  type ErrorDetail,
  type Facts,
  type Manifest,
  type Signer,
  type TrustRoot,
  type VerdictCode,
} from './core/index.js'
export * from './guard/index.js'
