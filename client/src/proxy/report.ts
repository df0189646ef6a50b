import { explainVerdict } from '../verdict.js'
import { showHidden } from '../gates/unicode.js'
import type { GuardEvent } from '../guard/index.js'

/** One line for the guard's stderr, or undefined for what is not worth one. Names are shown with hidden characters visible. */
export function describeEvent(event: GuardEvent): string | undefined {
  switch (event.type) {
    case 'listed':
      return describeListing(event)
    case 'listing-refused':
      return `${event.list} refused: ${event.code}. ${explain(event.code, event.detail)}`
    case 'instructions-withheld':
      return `instructions removed: ${event.code}. ${explain(event.code, event.detail)}`
    case 'call-refused':
      return `call of ${name(event.tool)} refused: ${event.code}. ${explain(event.code, event.detail)}`
    case 'call-observed':
      return `call of ${name(event.tool)} would be refused: ${event.code}`
    case 'prompt-refused':
      return `prompt ${name(event.prompt)} refused: ${event.code}`
    case 'resource-refused':
      return `resource ${name(event.uri)} refused: ${event.code}`
    case 'request-refused':
      return `${event.method} of ${name(event.name)} refused: ${event.code}`
    case 'schema-unchecked':
      return `the ${event.part} schema of ${name(event.tool)} cannot be checked: ${event.reason}`
    case 'frame-dropped':
      return `dropped a frame from the ${event.from}: ${event.reason}`
    case 'sampling-tools-removed':
      return 'removed unsigned tools from a sampling request of the server'
    case 'list-changed-injected':
      return `told the host that its ${event.list} changed`
    case 'verifier-failed':
      return `verification failed (${event.code}): ${oneLine(event.message)}`
    case 'schema-violation':
      return `${event.part} of ${name(event.call.name)} are not what its schema says${event.enforced ? ': refused' : ''}`
    case 'scope-missing':
      return `call of ${name(event.call.name)} lacks a scope. ${explain('scope-missing', event.detail)}`
    case 'resources-withheld':
      return event.withheld.map((one) => `withheld ${one.kind} ${name(one.name)}: ${one.code}`).join('\n')
    case 'call-begun':
    case 'call-ended':
    case 'stapled':
    case 'call-allowed':
    case 'frozen':
      return undefined
  }
}

function describeListing(event: Extract<GuardEvent, { type: 'listed' }>): string {
  const { review, withheld, list } = event
  const who =
    review.manifest === undefined ? 'no manifest' : `${review.manifest.server}@${review.manifest.version}`
  const head = `${list}: ${review.verdict} (${who}, ${review.mode}${review.pin === true ? ', pinned on first use' : ''})`
  const lines = withheld.map((one) => `  withheld ${one.kind} ${name(one.name)}: ${one.code}`)
  return [head, ...lines].join('\n')
}

function explain(
  code: Parameters<typeof explainVerdict>[0],
  detail: Parameters<typeof explainVerdict>[1],
): string {
  const { sentence, remedy } = explainVerdict(code, detail)
  return oneLine(`${sentence} ${remedy}`)
}

function name(text: string): string {
  return `"${oneLine(text.slice(0, 128))}"`
}

const BREAKS = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

/** A foreign line feed would begin a line that seems to be the guard's own. */
function oneLine(text: string): string {
  return showHidden(text).replaceAll(/[\n\r\t]/g, (char) => BREAKS.get(char) ?? '')
}
