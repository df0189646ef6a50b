import type { TrustRoot } from '../core/index.js'
import type { Memory } from '../memory.js'
import type { RegistryApi } from '../registry-api.js'
import type { View } from '../resolve/view.js'
import type { ReadDocument } from '../static-api.js'
import type { Trust } from '../trust.js'
import type { Folder } from './folder.js'

/** What a run of the mirror works with. */
export interface MirrorPorts {
  /** The registry, or another mirror of it. */
  readonly api: RegistryApi
  readonly read: ReadDocument
  readonly folder: Folder
  readonly trust: Trust
  /** What this machine saw of the registry before: a mirror is refused what a host would be refused. */
  readonly memory: Memory
  /** All servers, or these. */
  readonly servers: 'all' | readonly string[]
  /** Fetches everything again: what a disk or a person damaged inside is mended. */
  readonly again?: boolean
  /** POSIX milliseconds. */
  readonly now: () => number
  /** Asked right before readers are shown something else. */
  readonly assertHeld: () => Promise<void>
  readonly progress: (text: string) => void
}

/** A log whose tiles stand in the folder. */
export interface MirroredLog {
  readonly origin: string
  /** Where its tiles are now; the active log's stand aside until the switch when another one stood there. */
  readonly prefix: string
  /** Position of its entry 0. */
  readonly base: number
  readonly size: number
  readonly root: Uint8Array
}

/** What the registry says now, verified. */
export interface Standing {
  readonly view: View
  /** Every version, the first one first. */
  readonly roots: readonly TrustRoot[]
  /** The frozen ones in order, then the active one. */
  readonly logs: readonly MirroredLog[]
}

export function activeOf(standing: Standing): MirroredLog {
  return standing.logs[standing.logs.length - 1] as MirroredLog
}
