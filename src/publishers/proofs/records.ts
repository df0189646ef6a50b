import { decodeBase64, decodeKeyX, encodeBase64, encodeKeyX, keyThumbprint } from 'countersign/core'

/** What a record must say: this registry, this account, one of these own keys. */
export interface Wanted {
  readonly registry: string
  readonly account: string
  readonly kids: readonly string[]
}

/** Longer than any honest record. */
const MAX_RECORD = 512
const MCP = /^v=MCPv1;\s{0,8}k=ed25519;\s{0,8}p=([A-Za-z0-9+/]{43}=)$/
const OWN =
  /^v=countersign1;\s{0,8}registry=([a-z0-9.-]{1,128});\s{0,8}account=([A-Za-z0-9._:-]{1,128});\s{0,8}kid=([A-Za-z0-9_-]{43})$/

/** `v=MCPv1; k=ed25519; p=…`, as the MCP Registry reads it: whoever holds this key speaks for the domain. */
export function formatMcpRecord(x: string): string {
  return `v=MCPv1; k=ed25519; p=${encodeBase64(decodeKeyX(x))}`
}

/** Our own record: this key speaks for the domain at this registry, as this account, and nowhere else. */
export function formatOwnRecord({ registry, account, kid }: Omit<Wanted, 'kids'> & { kid: string }): string {
  return `v=countersign1; registry=${registry}; account=${account}; kid=${kid}`
}

/** Whether one of the records names one of the keys. Records of everybody else stand beside it and say nothing. */
export function namesKey(records: readonly string[], { kids }: Wanted): boolean {
  return records.some((record) => {
    const key = MCP.exec(capped(record))?.[1]
    return key !== undefined && kids.includes(kidOf(key))
  })
}

/** Whether one of the records is ours, for this registry and account, and names one of the keys. */
export function namesAccount(records: readonly string[], { registry, account, kids }: Wanted): boolean {
  return records.some((record) => {
    const [, forRegistry, forAccount, kid = ''] = OWN.exec(capped(record)) ?? []
    return forRegistry === registry && forAccount === account && kids.includes(kid)
  })
}

function capped(record: string): string {
  return record.length > MAX_RECORD ? '' : record.trim()
}

/** A spelling that is not canonical base64 names no key. */
function kidOf(base64: string): string {
  try {
    return keyThumbprint(decodeKeyX(encodeKeyX(decodeBase64(base64))))
  } catch {
    return ''
  }
}
