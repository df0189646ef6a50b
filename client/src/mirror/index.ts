/** A static, self-verifying copy of everything hosts ask a registry for. */
export { openFolder } from './folder.js'
export { lockMirror } from './lock.js'
export { mirrorOnce, type MirrorReport } from './mirror.js'
export { patientFetch, pause } from './source.js'
export type { MirrorPorts } from './ports.js'
