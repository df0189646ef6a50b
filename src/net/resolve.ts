import { lookup, Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { OutsideError } from './outside.js'

/** Names to records, by the servers that were configured or by those of the system. */
export interface Names {
  resolveTxt(name: string): Promise<readonly string[]>
  /** Every address of a name; `system` also asks what the operating system knows (hosts files, search domains). */
  resolveAddresses(host: string, system: boolean): Promise<readonly string[]>
}

const TRY_MS = 2000
const TRIES = 2
/** More than this in answer to one question is nobody's proof. */
const MAX_RECORDS = 128
const MAX_CHARACTERS = 16_384
const MAX_ADDRESSES = 32

/** No such name, or no record of this type: an answer, not a failure. */
const NOTHING: readonly unknown[] = ['ENOTFOUND', 'ENODATA']

export function openNames(dnsServers: readonly string[] = []): Names {
  const resolver = (): Resolver => {
    const own = new Resolver({ timeout: TRY_MS, tries: TRIES })
    if (dnsServers.length > 0) own.setServers([...dnsServers])
    return own
  }
  return {
    resolveTxt: async (name) => joinRecords(await ask(name, () => resolver().resolveTxt(name))),
    async resolveAddresses(host, system) {
      if (isIP(host) !== 0) return [host]
      const asked = resolver()
      const answers = await Promise.allSettled([
        ask(host, () => asked.resolve4(host)),
        ask(host, () => asked.resolve6(host)),
      ])
      const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
      const addresses = found.length === 0 && system ? await askSystem(host) : found
      if (addresses.length > MAX_ADDRESSES) {
        throw new OutsideError('too-large', `${host} has more than ${MAX_ADDRESSES} addresses`)
      }
      if (addresses.length === 0) throw new OutsideError('unreachable', `${host} has no address`)
      return addresses
    },
  }
}

async function ask<T>(name: string, question: () => Promise<T[]>): Promise<T[]> {
  try {
    return await question()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (NOTHING.includes(code)) return []
    // A name that cannot be asked for has no records; it is not worth another try.
    if (code === 'EBADNAME') throw new OutsideError('url-invalid', `${name} is no name`, { cause })
    throw new OutsideError('unreachable', `nobody answers for ${name}`, { cause })
  }
}

async function askSystem(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (cause) {
    throw new OutsideError('unreachable', `${host} has no address`, { cause })
  }
}

/** One record is several strings of up to 255 bytes each, which belong together as they stand (RFC 1035 3.3.14). */
function joinRecords(records: readonly string[][]): string[] {
  const joined = records.map((strings) => strings.join(''))
  const characters = joined.reduce((sum, record) => sum + record.length, 0)
  if (joined.length > MAX_RECORDS || characters > MAX_CHARACTERS) {
    throw new OutsideError('too-large', 'the answer has too many records')
  }
  return joined
}
