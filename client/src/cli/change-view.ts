import type { Change, ChangeClass, Comparison } from '../change.js'
import { bold, dim, green, quoted, red, yellow, type Line, type Styled } from './output.js'

export const PAINT: Readonly<Record<ChangeClass, (text: string) => Styled>> = {
  none: green,
  cosmetic: green,
  narrowed: green,
  text: yellow,
  widened: yellow,
  dangerous: red,
}

/**
 * What a change means, worst first. Texts come from manifests: every one stands behind a bar, and what is hidden in it
 * is visible.
 */
export function changeLines({ class: worst, changes, more }: Comparison): Line[] {
  if (changes.length === 0)
    return [['change ', PAINT[worst](worst), dim(': nothing that a model or a host sees')]]
  return [
    ['change ', PAINT[worst](worst)],
    ...changes.flatMap(oneChange),
    ...(more > 0 ? [[dim(`and ${more} more`)] as Line] : []),
  ]
}

function oneChange({ item, pointer, kind, class: weight, before, after, text }: Change): Line[] {
  return [
    '',
    [PAINT[weight](weight.padEnd(9)), ' ', bold(item), dim(`  ${kind}`)],
    [dim(`  ${pointer}`)],
    ['  ', text],
    ...(before === undefined ? [] : sideLines('- ', before, red)),
    ...(after === undefined ? [] : sideLines('+ ', after, green)),
  ]
}

function sideLines(sign: string, text: string, paint: (text: string) => Styled): Line[] {
  return quoted(text, '  ').map((line): Line => [paint(sign), ...(typeof line === 'string' ? [line] : line)])
}
