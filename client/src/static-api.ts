import {
  MAX_BUNDLE_BYTES,
  MAX_POLICY_BYTES,
  MAX_REVOCATIONS_BYTES,
  MAX_ROOT_BYTES,
  MAX_STATUS_BYTES,
  parseText,
  refuse,
} from './core/index.js'
import { answer, MAX_LIST_BYTES, parseVersions } from './static-api/answers.js'
import type { ReadDocument, RegistryApi } from './static-api/api.js'
import { assertWhole, lookUp } from './static-api/lookup.js'
import {
  bundlePath,
  HOST_POLICY_PATH,
  revocationsPath,
  rootPath,
  STATUS_PATH,
  versionsPath,
} from './static-api/paths.js'
import { proveFromTiles } from './static-api/tiles.js'

export type { ReadDocument } from './static-api/api.js'

/**
 * A registry of files: what `countersign mirror` writes, behind anything that reads a file by its path. Nothing in it is
 * believed; proofs are made of its tiles, and verified like any other.
 */
export function staticApi(read: ReadDocument): RegistryApi {
  const need = async (path: string, maxBytes: number): Promise<Uint8Array> =>
    (await read(path, maxBytes)) ??
    refuse('registry-error', 'the registry does not have this', { path, status: 404 })
  return {
    fetchStatus: () => need(STATUS_PATH, MAX_STATUS_BYTES),
    fetchBundle: async (digest) => need(bundlePath(digest), MAX_BUNDLE_BYTES),
    fetchConsistency: (from, to, log) => proveFromTiles(read, from, to, log),
    fetchRevocations: async (rootHex) => need(revocationsPath(rootHex), MAX_REVOCATIONS_BYTES),
    async fetchRoot(version) {
      const bytes = await read(rootPath(version), MAX_ROOT_BYTES)
      return bytes && answer(() => parseText(bytes, MAX_ROOT_BYTES))
    },
    async fetchHostPolicy() {
      const bytes = await read(HOST_POLICY_PATH, MAX_POLICY_BYTES)
      return bytes && answer(() => parseText(bytes, MAX_POLICY_BYTES))
    },
    async fetchVersions(server) {
      const bytes = await read(versionsPath(server), MAX_LIST_BYTES)
      if (bytes !== undefined) return parseVersions(bytes)
      await assertWhole(read)
      return []
    },
    lookup: (query) => lookUp(read, query),
  }
}
