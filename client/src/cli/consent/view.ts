import type { Change } from '../../change.js'
import type { ExplainedQuestion, Question, QuestionReason, Side } from '../../consent/types.js'
import { PAINT } from '../change-view.js'
import { bold, dim, pairs, red, type Line } from '../output.js'
import { exactLines } from './exact-text.js'

/** Why a person is asked, in words. */
const WHY: Readonly<Record<QuestionReason, string>> = {
  changed: 'What it offers means more than what was accepted here before.',
  'pin-changed': 'Nobody signed this server, and it shows something else than the first time.',
  variant: 'It shows other definitions of the same version than before, and they mean more.',
  'lower-version': 'This version is lower than one that was accepted here; an old fault may be back.',
  'other-server': 'Another server than before answers in this place.',
  'other-publisher': 'Another publisher signed it, with a key that nobody known here vouched for.',
  'name-confusable': 'Its name is easily taken for that of a server you use already.',
  'name-shadowed': 'It offers names, or speaks of tools, that belong to another server of this host.',
}

const MAX_NAMED = 20
/** What a server that nobody signed is called within the host says nothing to a person. */
const PINNED = /^internal\.pin\//

/** One line for a list of what waits. */
export function shortLine({ id, class: weight, reason, slot, ...question }: Question): Line {
  return [
    PAINT[weight](weight.padEnd(9)),
    ' ',
    bold(titleOf({ ...question, slot })),
    dim(`  ${reason}  ${id}`),
  ]
}

/** A question as a person reads it: what it means first, the worst first, then every text that differs as it stands. */
export function questionLines({ question, comparison, before, after }: ExplainedQuestion): Line[] {
  const { changes, more } = comparison
  return [
    '',
    [bold(titleOf(question)), '  ', PAINT[question.class](question.class)],
    WHY[question.reason],
    '',
    ...factLines(question),
    '',
    ...(changes.length === 0 ? [nothingListed(before !== undefined)] : changes.map(meaningLine)),
    ...(more > 0 ? [[dim(`and ${more} more`)] as Line] : []),
    '',
    [
      dim(
        `The exact text${before === undefined ? '' : ', before (-) and after (+)'}; hidden characters as \\u{…}`,
      ),
    ],
    ...exactLines(before, after, changes),
    '',
  ]
}

function titleOf({ server, slot }: Pick<Question, 'server' | 'slot'>): string {
  return server === '' || PINNED.test(server) ? slot : server
}

function factLines({ id, slot, from, to, items }: Question): Line[] {
  const named = items.slice(0, MAX_NAMED).join(', ')
  const rest = items.length > MAX_NAMED ? ` and ${items.length - MAX_NAMED} more` : ''
  return pairs([
    ['question', id],
    ['configured as', slot],
    ...(from === undefined ? [] : ([['until now', sideText(from)]] as const)),
    ['from now on', sideText(to)],
    ['held back', items.length === 0 ? 'all of the server' : `${named}${rest}`],
  ])
}

function sideText({ version, manifest, server, kid, variant }: Side): string {
  const parts = [
    server,
    version,
    variant === undefined ? undefined : variant === '' ? 'base definitions' : `variant ${variant}`,
    kid === undefined ? undefined : `key ${kid}`,
    manifest,
  ]
  return parts.filter((part) => part !== undefined && part !== '').join('  ')
}

function meaningLine({ class: weight, text }: Change): Line {
  return [PAINT[weight](weight.padEnd(9)), ' ', text]
}

function nothingListed(isCompared: boolean): Line {
  if (isCompared) return [dim('No definition differs: what is asked is named above.')]
  return [red('There is nothing left to compare it with: read all of it.')]
}
