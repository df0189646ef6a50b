import {
  signKeyAddEvent,
  signKeyRevokeEvent,
  signNamespaceEvent,
  type KeyRole,
  type RevokeReason,
  type Signer,
} from 'countersign/core'
import { signedByAll, signerNamed } from './keys.js'
import type { Ledger } from './ledger.js'

export interface Publisher {
  readonly namespace: string
  readonly own: Signer
  readonly sign: Signer
}

export interface KeyNames {
  readonly own?: string
  readonly sign?: string
}

export interface KeyRevocation {
  readonly invalidFrom?: number
  readonly by?: Signer
  readonly reason?: RevokeReason
}

/** The namespaces of a registry and the keys that come and go in them. */
export class Namespaces {
  readonly #ledger: Ledger
  /** Index of the latest event about a namespace. */
  readonly #latest: Map<string, number>

  constructor(ledger: Ledger, latest: Iterable<[string, number]> = []) {
    this.#ledger = ledger
    this.#latest = new Map(latest)
  }

  fork(ledger: Ledger): Namespaces {
    return new Namespaces(ledger, this.#latest)
  }

  latestAbout(namespace: string): number {
    return this.#latest.get(namespace) ?? 0
  }

  enrol(namespace: string, names: KeyNames): Publisher {
    const { identity, authorities } = this.#ledger.keys
    const own = signerNamed(names.own ?? `${namespace} own`)
    const sign = signerNamed(names.sign ?? `${namespace} sign`)
    const about = { namespace, proof: 'admin' as const, account: 'acc-1' }
    const event = signNamespaceEvent(about, identity, own)
    this.#latest.set(namespace, this.#ledger.append(signedByAll(event, identity, authorities)))
    const publisher = { namespace, own, sign }
    this.addKey(publisher, 'sign', sign)
    return publisher
  }

  addKey({ namespace, own }: Publisher, role: KeyRole, added: Signer, by: Signer = own): number {
    const about = { namespace, role, after: this.latestAbout(namespace) }
    const event = signKeyAddEvent(about, this.#ledger.keys.identity, added, by)
    const index = this.#ledger.append(event)
    this.#latest.set(namespace, index)
    return index
  }

  revokeKey({ namespace, own }: Publisher, kid: string, change: KeyRevocation): number {
    const { invalidFrom, by = own, reason = 'compromise' } = change
    const { keys, logs, revocations } = this.#ledger
    const about = {
      namespace,
      kid,
      reason,
      after: this.latestAbout(namespace),
      ...(invalidFrom !== undefined && { invalidFrom }),
    }
    revocations.add([{ kind: 'key', namespace, kid, invalidFrom: invalidFrom ?? logs.end }])
    const index = this.#ledger.append(signKeyRevokeEvent(about, keys.identity, by))
    this.#latest.set(namespace, index)
    return index
  }
}
