/**
 * Whether a URI can come of a URI template (RFC 6570): its literals in order, with anything in place of the expressions.
 * Linear in the URI; what a template cannot say is left to the server.
 */
export function matchesTemplate(template: string, uri: string): boolean {
  const [first = '', ...rest] = template.split(/\{[^{}]*\}/)
  const last = rest.pop()
  if (last === undefined) return uri === template
  if (!uri.startsWith(first) || !uri.endsWith(last) || uri.length < first.length + last.length) return false
  let from = first.length
  for (const literal of rest) {
    const at = uri.indexOf(literal, from)
    if (at < 0) return false
    from = at + literal.length
  }
  return from <= uri.length - last.length
}
