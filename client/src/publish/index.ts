export {
  captureServer,
  listServer,
  type Capture,
  type CaptureOptions,
  type CaptureTarget,
} from './capture.js'
export { compareItems, compareSurfaces, itemLabel, type Difference } from './compare.js'
export { buildManifest, type ManifestOptions } from './build.js'
export { compareWithManifest, type SurfaceChange } from './check.js'
export { findPackage, type FoundPackage } from './package.js'
export { proposeSlots, type SlotFindings, type SlotProposal } from './slots.js'
export { MAX_ITEMS, MAX_PAGES } from './lists.js'
export type { Listing, Surface, SurfaceItem } from './surface.js'
export {
  signManifest,
  submitManifest,
  waitForDecision,
  type Call,
  type Submission,
  type WaitOptions,
} from './submit.js'
