import {
  digestOf,
  equalBytes,
  formatTilePath,
  MAX_REVOCATIONS_BYTES,
  refuse,
  tileRows,
  utf8Bytes,
  type Digest,
} from '../core/index.js'
import { MAX_LIST_BYTES } from '../static-api/answers.js'
import { policyPath, revocationsPath, rootPath } from '../static-api/paths.js'
import { verifyRevocations, type ProvedSnapshot } from '../verify.js'
import type { Draft, Folder } from './folder.js'
import type { MirrorPorts, Standing } from './ports.js'
import { attempt, type LeftOut } from './servers.js'

const MAX_POLICY_BYTES = 256 * 1024
/** Those of this status and its denials, and of the one before: who read that one asks for its lists. */
const KEPT_LISTS = 4

/** The revocation lists a status names. Nothing is shown without them: hosts would refuse everything. */
export async function copyRevocations(ports: MirrorPorts, { view }: Standing): Promise<string[]> {
  const { denials } = view.status
  const named = [view.status, ...(denials === undefined ? [] : [denials])]
  for (const snapshot of named) await copyList(ports, snapshot, view.root.identity)
  return named.map(({ revocationsHex }) => revocationsHex)
}

async function copyList(ports: MirrorPorts, named: ProvedSnapshot, identity: string): Promise<void> {
  const { folder } = ports
  const path = revocationsPath(named.revocationsHex)
  const kept = await folder.read(path, MAX_REVOCATIONS_BYTES)
  if (kept !== undefined && holds(kept, named)) return
  const bytes = await loadList(ports, named, identity)
  verifyRevocations(bytes, named)
  await folder.write(path, bytes)
}

/** The view was made with it: usually it is remembered already. */
async function loadList(
  { api, memory }: MirrorPorts,
  { snapshot, revocationsHex }: ProvedSnapshot,
  identity: string,
) {
  if (snapshot.count === 0) return new Uint8Array()
  const kept = await memory.readRevocations(identity)
  return kept?.root === revocationsHex ? kept.list : api.fetchRevocations(revocationsHex)
}

function holds(bytes: Uint8Array, named: ProvedSnapshot): boolean {
  try {
    return verifyRevocations(bytes, named).count === named.snapshot.count
  } catch {
    return false
  }
}

/** Lists that no reader asks for any more are gone; returns those that stay. */
export async function pruneLists(
  folder: Folder,
  now: readonly string[],
  before: readonly string[],
): Promise<string[]> {
  const all = [...new Set([...now, ...before])]
  for (const hex of all.slice(KEPT_LISTS)) await folder.remove(revocationsPath(hex))
  return all.slice(0, KEPT_LISTS)
}

/** The admission policies that approvals name: for auditors. */
export async function copyPolicies(
  { folder, read }: MirrorPorts,
  policies: Iterable<Digest>,
  work: { readonly leftOut: LeftOut[] },
): Promise<void> {
  for (const digest of policies) {
    const path = policyPath(digest)
    if ((await folder.read(path, MAX_POLICY_BYTES)) !== undefined) continue
    await attempt(work, { what: path }, async () => {
      const bytes = await read(path, MAX_POLICY_BYTES)
      if (bytes === undefined) refuse('registry-error', 'the registry lacks a policy it approved by')
      if (digestOf(bytes) !== digest) refuse('registry-error', 'the policy has another digest')
      await folder.write(path, bytes)
    })
  }
}

/** The roots that are new, the newest one under its second name as well. */
export async function draftRoots(folder: Folder, { roots }: Standing): Promise<Draft[]> {
  const drafts: Draft[] = []
  for (const { version, note } of roots) drafts.push(...(await draftIfNew(folder, rootPath(version), note)))
  const newest = roots.at(-1)?.note ?? ''
  return [...drafts, ...(await draftIfNew(folder, rootPath('latest'), newest))]
}

/** No draft where the very same is there. */
export async function draftIfNew(
  folder: Folder,
  path: string,
  content: string | Uint8Array,
): Promise<Draft[]> {
  const bytes = typeof content === 'string' ? utf8Bytes(content) : content
  const old = await folder.read(path, Math.max(bytes.length, MAX_LIST_BYTES))
  return old !== undefined && equalBytes(old, bytes) ? [] : [await folder.draft(path, bytes)]
}

/**
 * The narrow tiles of trees that nobody is shown any more are gone. Those of the tree that was shown until now stay: who
 * read that status asks for its proofs.
 */
export async function pruneTiles(
  folder: Folder,
  prefix: string,
  edges: readonly number[],
  keep: readonly number[],
): Promise<void> {
  const kept = new Set(keep.flatMap(narrowTiles))
  const gone = new Set(edges.flatMap(narrowTiles))
  for (const path of gone) if (!kept.has(path)) await folder.remove(prefix + path)
}

function narrowTiles(size: number): string[] {
  return tileRows(size).flatMap(({ level, full, partial }) => {
    if (partial === 0) return []
    const entries = level === 0 ? [formatTilePath('entries', full, partial)] : []
    return [formatTilePath(level, full, partial), ...entries]
  })
}
