import type { JsonObject } from '../core/index.js'
import { dim, green, red, yellow, type Line } from './output.js'

/** Findings of the gates for people; from the registry they are foreign data, so every member is read as text. */
export function findingLines(findings: readonly JsonObject[]): Line[] {
  if (findings.length === 0) return [[green('no findings')]]
  return findings.flatMap((finding): Line[] => {
    const text = (name: string): string => (typeof finding[name] === 'string' ? finding[name] : '')
    const weight =
      finding['refuse'] === true ? 'refuse' : finding['held'] === true ? 'held' : text('severity')
    const paint = weight === 'refuse' ? red : weight === 'held' ? yellow : dim
    const first: Line = [
      paint(weight.padEnd(7)),
      ' ',
      text('rule'),
      dim(` ${text('pointer')} `),
      text('message'),
    ]
    const shown = text('shown')
    return shown === '' ? [first] : [first, [dim('        │ '), shown]]
  })
}
