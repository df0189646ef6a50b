/** The protocol of Countersign: bytes and values, no network, no disk, no clock. PROTOCOL.md is its specification. */
export * from './errors.js'
export * from './bytes.js'
export * from './lexical.js'
export * from './time.js'
export * from './strict-json.js'
export * from './canonical-json.js'
export { assertEnrolledKey, verifyStrict } from './ed25519.js'
export * from './key.js'
export * from './envelope.js'
export * from './name.js'
export * from './slot.js'
export * from './item.js'
export {
  itemName,
  MAX_DEFINITION_LENGTH,
  type ManifestItem,
  type Variant,
  type When,
} from './manifest-item.js'
export * from './manifest.js'
export * from './event.js'
export * from './event-signature.js'
export * from './key-cascade.js'
export * from './namespace-proof.js'
export * from './merkle.js'
export * from './tile.js'
export * from './note.js'
export * from './checkpoint.js'
export * from './cosignature.js'
export * from './quorum.js'
export * from './signed-checkpoint.js'
export * from './proof.js'
export * from './root.js'
export * from './host-policy.js'
export * from './snapshot.js'
export * from './bundle.js'
export * from './status.js'
