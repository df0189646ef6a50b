/** Countersign on Node: memory, trust and keys in files, and the facts a guard knows of its machine. */
export { fileMemory, type FileMemoryOptions } from './file-memory.js'
export { homeFolder } from './home.js'
export { readKey, writeKey } from './keys.js'
export { listTrust, readTrust, readTrustRoot, writeTrust, type PinnedRegistry } from './trust-files.js'
export { machineFacts } from './facts.js'
export { openRegistryApi } from './registry-files.js'
