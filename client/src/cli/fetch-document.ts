import { CountersignError, refuse } from '../core/index.js'
import { folderOf, isFileRegistry, readRegularFile } from '../node/registry-files.js'

const TIMEOUT_MS = 30_000

interface Asking {
  readonly send: typeof fetch
}

/**
 * A public document of a registry or of a mirror's folder, capped in size and time; redirects are refused.
 * @throws CountersignError `registry-unreachable`, `registry-error`
 */
export function fetchDocument(url: string, maxBytes: number, from: Asking): Promise<Uint8Array>
export function fetchDocument(
  url: string,
  maxBytes: number,
  from: Asking & { readonly absent: 'is-undefined' },
): Promise<Uint8Array | undefined>
export async function fetchDocument(
  url: string,
  maxBytes: number,
  { send, absent }: Asking & { readonly absent?: string },
): Promise<Uint8Array | undefined> {
  if (isFileRegistry(url)) {
    const bytes = await readRegularFile(folderOf(url), maxBytes)
    if (bytes !== undefined || absent !== undefined) return bytes
    refuse('registry-error', 'the mirror does not have this', { url, status: 404 })
  }
  try {
    const response = await send(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
    if (response.status === 404 && absent !== undefined) return undefined
    if (response.status !== 200) {
      const code =
        response.status >= 500 || response.status === 429 ? 'registry-unreachable' : 'registry-error'
      refuse(code, `the registry answered ${response.status}`, { url, status: response.status })
    }
    return await readCapped(response, maxBytes, url)
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause
    throw new CountersignError('registry-unreachable', 'the registry does not answer', { url }, { cause })
  }
}

async function readCapped(response: Response, maxBytes: number, url: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += part.length
    if (length > maxBytes) refuse('registry-error', 'the registry’s answer is too large', { url, maxBytes })
    parts.push(part)
  }
  return Buffer.concat(parts)
}
