/** The part of Node's crypto that core uses. Spelled out here: core names no runtime's types. */
export interface NodeCrypto {
  hash(algorithm: string, data: Uint8Array, encoding: 'buffer'): Uint8Array
  hash(algorithm: string, text: string, encoding: 'hex'): string
  createPublicKey(key: unknown): NodeKey
  createPrivateKey(key: unknown): NodeKey
  sign(algorithm: null, data: Uint8Array, key: NodeKey): Uint8Array
  verify(algorithm: null, data: Uint8Array, key: NodeKey, signature: Uint8Array): boolean
}

/** A key held by Node's crypto. */
export interface NodeKey {
  export(options: { format: 'jwk' }): { x?: string }
}

/** Node's crypto where there is one (about ten times as fast), found without an import a browser would choke on. */
export const nodeCrypto: NodeCrypto | undefined = findNodeCrypto()

function findNodeCrypto(): NodeCrypto | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }
  const found = process?.getBuiltinModule?.('node:crypto') as Partial<NodeCrypto> | undefined
  // Runtimes that imitate Node may leave functions out; half of it is none of it.
  const whole = found?.hash && found.createPublicKey && found.createPrivateKey && found.sign && found.verify
  return whole ? (found as NodeCrypto) : undefined
}

/** The part of Node's Buffer that core uses: base64 by machine code. */
export interface NodeBuffer {
  from(text: string, encoding: 'base64' | 'base64url'): Uint8Array
  from(
    memory: ArrayBufferLike,
    offset: number,
    length: number,
  ): { toString(encoding: 'base64' | 'base64url'): string }
}

/** Node's Buffer where there is Node's crypto too. */
export const nodeBuffer: NodeBuffer | undefined = nodeCrypto && (globalThis as { Buffer?: NodeBuffer }).Buffer
