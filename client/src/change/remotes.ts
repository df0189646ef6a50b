import { canonicalize, type Manifest, type RemoteRef } from '../core/index.js'
import type { Path } from '../gates/walk.js'
import { compareInputs } from './inputs.js'
import { isSameJson } from './json.js'
import { named, type Ledger } from './ledger.js'
import { placeAt } from './places.js'

/** Remote servers, by kind and URL: another URL is another server. */
export function compareRemotes(before: Manifest, after: Manifest, ledger: Ledger): void {
  const left = (before.remotes ?? []).map((remote, at) => ({ remote, at, key: keyOf(remote) }))
  for (const [at, remote] of (after.remotes ?? []).entries()) {
    const found = left.findIndex(({ key }) => key === keyOf(remote))
    const [old] = found < 0 ? [] : left.splice(found, 1)
    if (old !== undefined) compareRemote(old.remote, remote, ['remotes', at], ledger)
    else {
      const text = `the remote ${named(remote.url)} is another one`
      ledger.note('remote', 'dangerous', placeAt(true, ['remotes', at, 'url']), () => ({
        text,
        after: remote.url,
      }))
    }
  }
  // With the last one goes what bound the address that is reached.
  const level = (after.remotes ?? []).length > 0 ? 'narrowed' : 'widened'
  for (const { remote, at } of left) {
    const text = `the remote ${named(remote.url)} is gone`
    ledger.note('remote', level, placeAt(false, ['remotes', at]), () => ({ text, before: remote.url }))
  }
}

function keyOf({ type, url }: RemoteRef): string {
  return canonicalize([type, url])
}

function compareRemote(a: RemoteRef, b: RemoteRef, path: Readonly<Path>, ledger: Ledger): void {
  compareInputs('header', a.headers ?? [], b.headers ?? [], [...path, 'headers'], ledger)
  if (isSameJson(a.variables, b.variables)) return
  const place = placeAt(true, b.variables === undefined ? path : [...path, 'variables'])
  const words = {
    text: 'what is put into the URL is something else',
    before: a.variables,
    after: b.variables,
  }
  ledger.note('remote', 'dangerous', place, () => words)
}

/** Where tokens come from and what they are for. */
export function compareAuthorization(
  { authorization: a }: Manifest,
  { authorization: b }: Manifest,
  { note }: Ledger,
): void {
  if (isSameJson(a, b)) return
  const place = placeAt(b !== undefined, ['authorization'])
  if (b === undefined)
    note('authorization', 'widened', place, () => ({ text: 'tokens may come from anywhere', before: a }))
  else if (
    a === undefined ||
    a.resource !== b.resource ||
    b.issuers.some((one) => !a.issuers.includes(one))
  ) {
    note('authorization', 'dangerous', place, () => ({
      text: 'tokens come from or go to another place',
      before: a,
      after: b,
    }))
  } else if (new Set(b.issuers).size < new Set(a.issuers).size) {
    note('authorization', 'narrowed', place, () => ({
      text: 'fewer places give tokens',
      before: a,
      after: b,
    }))
  }
}
