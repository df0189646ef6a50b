/** A list may go on for as long as a header; nobody holds more versions of one thing than this. */
const MAX_TAGS = 32

/**
 * RFC 9110 13.1.2: whether `If-None-Match` names this tag, anywhere in its list. Compared weakly, since a proxy that
 * compresses weakens our tags.
 */
export function holdsTag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const wanted = opaque(etag)
  return ifNoneMatch.split(',', MAX_TAGS).some((part) => {
    const tag = part.trim()
    return tag === '*' || opaque(tag) === wanted
  })
}

function opaque(tag: string): string {
  return tag.replace(/^W\//, '')
}
