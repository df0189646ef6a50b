import {
  registryIdentity,
  sha256,
  signEvent,
  signerFromSeed,
  utf8Bytes,
  type Signer,
  type UnsignedEvent,
} from 'countersign/core'
import type { WorldOptions } from './options.js'

const signers = new Map<string, Signer>()

/** The same signer for the same name, in every run. */
export function signerNamed(name: string): Signer {
  const known = signers.get(name)
  if (known !== undefined) return known
  const signer = signerFromSeed(sha256(utf8Bytes(`countersign test key ${name}`)))
  signers.set(name, signer)
  return signer
}

/** The keys of a registry, by what its name is, and the identity that its root key gives it. */
export function keysOf(options: WorldOptions) {
  const { name = 'registry' } = options
  const many = (what: string, count = 0): Signer[] =>
    Array.from({ length: count }, (_, i) => signerNamed(`${name} ${what} ${i + 1}`))
  const root = signerNamed(`${name} root`)
  return {
    identity: registryIdentity(root.publicKey),
    root,
    log: signerNamed(`${name} log`),
    /** Of the log's successor with that number. */
    nextLog: (number: number): Signer => signerNamed(`${name} log ${number}`),
    timestamper: signerNamed(`${name} timestamper`),
    witnesses: many('witness', options.witnesses),
    approvers: many('approver', options.approvers),
    authorities: many('authority', options.authorities),
  }
}

export type Keys = ReturnType<typeof keysOf>

/** An event with the signatures of people whom the root names; as it is where nobody signs. */
export function signedByAll<E extends UnsignedEvent>(
  event: E,
  registry: string,
  by: readonly Signer[],
): E & { sigs?: string[] } {
  const sigs = by.map((signer) => signEvent(event, registry, signer))
  return { ...event, ...(sigs.length > 0 && { sigs }) }
}
