import { formatTime, toHex, type NoteSigner, type TrustRoot } from 'countersign/core'
import type { Logger } from 'pino'
import type { Ledger } from '../log/ledger.js'
import { bodyOf, ROOT_SECONDS, signRoot } from '../log/root.js'

const DAY_MS = 24 * 3600 * 1000
/** From here on people are warned; hosts warn from the same day. */
const WARN_MS = 60 * DAY_MS
/** From here on a root whose one key is at hand is made anew. */
const RENEW_MS = 30 * DAY_MS

export interface RenewalOptions {
  readonly ledger: Pick<Ledger, 'trustRoot' | 'publishRoot'>
  /** The root key of this machine, where it has one. */
  readonly rootKey?: NoteSigner | undefined
  /** POSIX milliseconds. */
  readonly now: () => number
  readonly log: Logger
  readonly everyMs?: number
}

/** Looks after the trust root's expiry. */
export interface Renewal {
  /** One look, now. Never rejects: what fails is logged and tried again with the next look. */
  check(): Promise<void>
  close(): Promise<void>
}

/**
 * Looks at the trust root at once and every day: a root that needs nobody else's signature renews itself 30 days
 * before it expires, and also when it expired while nobody looked; of any other its operator is warned for 60 days.
 */
export function openRenewal(options: RenewalOptions): Renewal {
  let running: Promise<void> = Promise.resolve()
  const check = (): Promise<void> => (running = running.then(() => look(options)))
  void check()
  const clock = setInterval(() => void check(), options.everyMs ?? DAY_MS).unref()
  return {
    check,
    close: async () => {
      clearInterval(clock)
      await running
    },
  }
}

async function look(options: RenewalOptions): Promise<void> {
  const { ledger, now, log } = options
  try {
    const root = ledger.trustRoot()
    const left = root.expiresAt * 1000 - now()
    if (left > WARN_MS) return
    const signer = soleSigner(root, options.rootKey)
    if (signer !== undefined && left <= RENEW_MS) await renew(root, signer, options)
    else warn(root, left, signer !== undefined, log)
  } catch (cause) {
    log.error({ err: cause }, 'the trust root could not be renewed; it is tried again')
  }
}

/** The key at hand, when the root needs no other: then it may also name further keys, and they stay. */
function soleSigner(root: TrustRoot, key: NoteSigner | undefined): NoteSigner | undefined {
  if (key === undefined || root.threshold !== 1) return undefined
  const isNamed = root.rootVerifiers.some(
    ({ name, publicKey }) => name === key.name && toHex(publicKey) === toHex(key.key.publicKey),
  )
  return isNamed ? key : undefined
}

async function renew(root: TrustRoot, signer: NoteSigner, options: RenewalOptions): Promise<void> {
  const { ledger, now, log } = options
  const expires = formatTime(now() / 1000 + ROOT_SECONDS)
  const { identity, version } = root
  const next = { identity, version: version + 1, body: { ...bodyOf(root), expires } }
  const { index } = await ledger.publishRoot(signRoot(next, [signer]))
  log.info({ version: next.version, expires, index }, 'the trust root has renewed itself')
}

function warn(root: TrustRoot, left: number, renewsItself: boolean, log: Logger): void {
  const { version, expires } = root
  const days = Math.floor(left / DAY_MS)
  if (renewsItself) log.info({ version, expires, days }, 'the trust root is about to renew itself')
  else if (left <= 0)
    log.error({ version, expires }, 'the trust root has expired: hosts refuse this registry')
  else {
    log.warn(
      { version, expires, days },
      'the trust root expires: countersign-registry root propose, sign, publish',
    )
  }
}
