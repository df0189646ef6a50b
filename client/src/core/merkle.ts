/**
 * Merkle trees of RFC 6962: hashing and verifying, making roots and proofs from stored hashes, growing a
 * tree.
 */
export * from './merkle-hash.js'
export * from './merkle-tree.js'
export * from './merkle-range.js'
