import {
  CountersignError,
  decodeBase64,
  equalBytes,
  MAX_NOTE_BYTES,
  MAX_STATUS_BYTES,
  openCheckpoint,
  parseText,
  refuse,
  treeRootAsync,
  utf8Bytes,
  type TrustRoot,
} from '../core/index.js'
import { fetchView, type View } from '../resolve/view.js'
import { logPrefix, STATUS_PATH } from '../static-api/paths.js'
import { tileHashes } from '../static-api/tiles.js'
import { atStep } from '../verdict.js'
import { verifyStatus, type VerifiedStatus } from '../verify.js'
import { activeOf, type MirroredLog, type MirrorPorts, type Standing } from './ports.js'
import { fetchRootChain } from './roots.js'
import type { MirrorState } from './state.js'
import { copyLog } from './tree.js'

/** Where the tiles of a new log gather while those of the one before are still read. */
export const NEXT_PREFIX = '.mirror.next/'

/** The state of the run, which knows at every moment what is in the folder. */
export interface Progress {
  readonly state: () => MirrorState
  readonly update: (change: Partial<MirrorState>) => Promise<void>
}

/**
 * What the registry says now, verified like a host would, and every entry of its logs in the folder.
 * @throws CountersignError a verdict of PROTOCOL 10.1 to 10.3, `registry-unreachable`
 */
export async function takeStanding(ports: MirrorPorts, progress: Progress): Promise<Standing> {
  let roots = await fetchRootChain(ports)
  const root = roots[roots.length - 1] as TrustRoot
  const { api, memory, now } = ports
  const view = await fetchView({ api, memory, root, now, lists: new Map() })
  if (view.unreachable) refuse('registry-unreachable', 'the registry does not answer')
  const { version } = view.root
  // One was published meanwhile: who is shown this status needs it.
  if (version > roots.length) roots = await fetchRootChain(ports)
  if (version > roots.length) refuse('rollback', 'the registry lacks a trust root it had', { version })
  const logs = [...(await copyFrozen(ports, progress, view.root)), await copyActive(ports, progress, view)]
  const standing = { view, roots, logs }
  await assertGrown(ports, standing)
  return standing
}

async function copyFrozen(ports: MirrorPorts, progress: Progress, root: TrustRoot): Promise<MirroredLog[]> {
  const logs: MirroredLog[] = []
  let base = 0
  for (const log of root.logs) {
    if (log.status !== 'frozen') continue
    const prefix = logPrefix(logs.length + 1)
    const { size } = log.final
    const mirrored = { origin: log.origin, prefix, base, size, root: decodeBase64(log.final.root) }
    await copyTracked(ports, progress, mirrored, prefix, true)
    await copyFinalNote(ports, root, mirrored)
    logs.push(mirrored)
    base += size
  }
  return logs
}

/** The last checkpoint of a frozen log: what it is found by, and what its own key last said. */
async function copyFinalNote(
  { read, folder }: MirrorPorts,
  root: TrustRoot,
  log: MirroredLog,
): Promise<void> {
  const path = `${log.prefix}checkpoint`
  const key = root.logVerifiers.get(log.origin)
  const isFinal = (bytes: Uint8Array): boolean => {
    const note = parseText(bytes, MAX_NOTE_BYTES)
    if (key === undefined) return false
    const { checkpoint } = openCheckpoint(note, { origin: log.origin, key })
    return checkpoint.size === log.size && equalBytes(checkpoint.root, log.root)
  }
  const kept = await folder.read(path, MAX_NOTE_BYTES)
  if (kept !== undefined && holds(() => isFinal(kept))) return
  const bytes =
    (await read(path, MAX_NOTE_BYTES)) ?? refuse('registry-error', 'the registry lacks a log', { path })
  if (!atStep(2, 'checkpoint-invalid', () => isFinal(bytes))) {
    refuse('checkpoint-invalid', 'a frozen log shows another tree than its last', { origin: log.origin })
  }
  await folder.write(path, bytes)
}

function holds(check: () => boolean): boolean {
  try {
    return check()
  } catch (error) {
    if (error instanceof CountersignError) return false
    throw error
  }
}

async function copyActive(ports: MirrorPorts, progress: Progress, view: View): Promise<MirroredLog> {
  const { origin, size, root } = view.status.checkpoint
  const { active } = progress.state()
  const prefix = active === '' || active === origin ? logPrefix() : NEXT_PREFIX
  const base = view.root.logs.reduce((sum, log) => sum + (log.status === 'frozen' ? log.final.size : 0), 0)
  const log = { origin, prefix, base, size, root }
  await copyTracked(ports, progress, log, logPrefix(), false)
  return log
}

/** How far it came is written down after every piece: a run that is killed goes on there. */
async function copyTracked(
  ports: MirrorPorts,
  { state, update }: Progress,
  log: MirroredLog,
  from: string,
  isFrozen: boolean,
): Promise<void> {
  const name = `${log.prefix} ${log.origin}`
  const { origin, prefix: to, size, root } = log
  await copyLog(ports, {
    origin,
    isFrozen,
    from,
    to,
    size,
    root,
    copied: state().copied[name] ?? 0,
    async onCopied(now) {
      const { copied, edges } = state()
      await update({ copied: { ...copied, [name]: now }, ...(!isFrozen && { edges: [...edges, now] }) })
    },
  })
}

/** The tree that readers of this folder have seen is a part of the new one, by its own tiles. */
async function assertGrown({ folder }: MirrorPorts, standing: Standing): Promise<void> {
  const before = await readShown(folder.read, standing.view.root)
  const log = activeOf(standing)
  if (before === undefined || before.checkpoint.origin !== log.origin) return
  const { size, root } = before.checkpoint
  if (size > log.size) {
    refuse('rollback', 'the registry attests a smaller log than it did before', {
      size: log.size,
      remembered: size,
    })
  }
  const now = await treeRootAsync(size, tileHashes(folder.read, log))
  if (equalBytes(now, root)) return
  refuse('equivocation', 'the registry shows a history that excludes the one this mirror shows', {
    notes: [before.note, standing.view.status.note],
  })
}

/** The status that readers of this folder see; undefined when there is none that holds under this root. */
export async function readShown(
  read: MirrorPorts['read'],
  root: TrustRoot,
): Promise<VerifiedStatus | undefined> {
  const bytes = await read(STATUS_PATH, MAX_STATUS_BYTES)
  if (bytes === undefined) return undefined
  try {
    return verifyStatus(bytes, root)
  } catch (error) {
    if (error instanceof CountersignError) return undefined
    throw error
  }
}

/** The status to show: the same tree is never shown older than it was, unless that is what denies something. */
export async function statusToShow({ folder }: MirrorPorts, { view }: Standing): Promise<Uint8Array> {
  const shown = await readShown(folder.read, view.root)
  const { checkpoint, attestedAt, denials, text } = view.status
  const isOlder = shown?.checkpoint.size === checkpoint.size && shown.attestedAt > attestedAt
  return utf8Bytes(isOlder && denials === undefined ? shown.text : text)
}
