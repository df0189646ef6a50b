import { eventSignatureKid, refuse, verifyThreshold, type KeyEvent, type TrustRoot } from 'countersign/core'

export type RootKeys = Pick<TrustRoot, 'authorities' | 'identity'>

/**
 * A threshold of the trust root's authorities signed the event, each once, and nobody else did: what is not verified
 * does not go into the log. Throws `event-invalid` where the root names none, and `signature-invalid`.
 */
export function verifyAuthorities(event: KeyEvent, { authorities, identity }: RootKeys): void {
  if (authorities === undefined) return refuse('event-invalid', 'the trust root names no authorities')
  const { sigs = [] } = event
  verifyThreshold(event, sigs, authorities, identity)
  // Each of these signatures counted for one key: more of them than keys counted is one too many.
  const kids = new Set(sigs.map((sig) => eventSignatureKid(event, sig)))
  const alone = sigs.map(
    (sig) => () => verifyThreshold(event, [sig], { ...authorities, threshold: 1 }, identity),
  )
  if (kids.size !== sigs.length) refuse('signature-invalid', 'an authority signed twice')
  for (const verify of alone) verify()
}
