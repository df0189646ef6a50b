import type { ExplainedQuestion, Question } from '../consent/types.js'
import { CountersignError, isDigest, refuse } from '../core/index.js'
import type { Host } from '../host.js'
import { isTerminal, terminalAsker, type Asker } from './consent/asker.js'
import { questionLines, shortLine } from './consent/view.js'
import type { Context, Input } from './context.js'
import { openCliHost } from './host.js'
import { dim, green, yellow, type Line } from './output.js'
import { openCliRecords } from './records.js'

interface Options {
  readonly list?: boolean
  readonly agree?: readonly string[]
  readonly refuse?: readonly string[]
}

export interface Answered {
  readonly id: string
  readonly decision: 'agreed' | 'refused'
}

/** `countersign consent`: what waits for this person's consent; agreed to, refused, or left for later. */
export async function consent(context: Context, { args, options }: Input<Options>): Promise<void> {
  const named = answersOf(options)
  const records = openCliRecords(context, {}, (line) => context.out.say(line))
  const host = await openCliHost(context, { ...(records && { onEvent: records.onHostEvent }) })
  try {
    if (named.length > 0) await answerNamed(context, host, named)
    else await answerWaiting(context, host, { name: args[0], isListed: options.list === true })
  } finally {
    await host.close()
    await records?.close()
  }
}

// ------------------------------------------------------------------------------------------ named by their ids

/** @throws CountersignError `usage`: what is agreed to is named by its whole digest */
function answersOf({ agree = [], refuse: refused = [] }: Options): Answered[] {
  const answers: Answered[] = [
    ...agree.map((id) => ({ id, decision: 'agreed' as const })),
    ...refused.map((id) => ({ id, decision: 'refused' as const })),
  ]
  for (const { id } of answers) {
    if (!isDigest(id)) refuse('usage', `${id}: a question is named by its id, sha256:…, as --list shows it`)
    if (answers.filter((one) => one.id === id).length > 1) refuse('usage', `${id} is answered twice`)
  }
  return answers
}

async function answerNamed(context: Context, host: Host, answers: readonly Answered[]): Promise<void> {
  for (const { id, decision } of answers) await host.consent(id, decision)
  tellAnswered(context, answers)
}

function tellAnswered({ out }: Context, answered: readonly Answered[]): void {
  out.result({ answered }, [
    ...(answered.length === 0 ? ['nothing was answered'] : []),
    ...answered.map(({ id, decision }): Line => [
      decision === 'agreed' ? green('agreed ') : yellow('refused'),
      dim(`  ${id}`),
    ]),
  ])
}

// ---------------------------------------------------------------------------------------------- one by one

interface Wanted {
  readonly name: string | undefined
  readonly isListed: boolean
}

async function answerWaiting(context: Context, host: Host, { name, isListed }: Wanted): Promise<void> {
  const waiting = (await host.waiting()).filter((one) => isNamed(one, name))
  const isAsked = !isListed && !context.out.json && waiting.length > 0
  if (!isAsked) {
    await tellWaiting(context, host, waiting)
    return
  }
  if (!isTerminal())
    refuse(
      'usage',
      'consent is given by a person at a terminal: --list shows what waits, --agree ID answers',
      {
        waiting: waiting.length,
      },
    )
  const asker = terminalAsker(context.signal)
  tellAnswered(context, await askAll({ context, host, asker }, waiting))
}

/** By the server's name; a server that nobody signed is named as it is configured. */
function isNamed({ server, slot, to }: Question, name: string | undefined): boolean {
  return name === undefined || server === name || to.server === name || slot === name
}

export interface Desk {
  readonly context: Pick<Context, 'out'>
  readonly host: Pick<Host, 'explain' | 'consent'>
  readonly asker: Asker
}

/** Shows one question after the other, and asks. Nothing is agreed to that was not shown. */
export async function askAll(desk: Desk, waiting: readonly Question[]): Promise<Answered[]> {
  const answered: Answered[] = []
  for (const [i, question] of waiting.entries()) {
    const explained = await explain(desk, question)
    if (explained === undefined) continue
    for (const line of questionLines(explained)) desk.context.out.say(line)
    const choice = await desk.asker.choose({ n: i + 1, of: waiting.length })
    if (choice === 'stop') break
    if (choice === 'later') continue
    if (choice === 'agreed' && isDangerous(explained) && !(await desk.asker.isSure())) continue
    await desk.host.consent(question.id, choice)
    answered.push({ id: question.id, decision: choice })
  }
  return answered
}

function isDangerous({ question, comparison }: ExplainedQuestion): boolean {
  return question.class === 'dangerous' || comparison.class === 'dangerous'
}

/** What cannot be shown is not asked. */
async function explain({ context, host }: Desk, question: Question): Promise<ExplainedQuestion | undefined> {
  try {
    return await host.explain(question.id)
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    context.out.say(shortLine(question))
    context.out.say([yellow('  cannot be shown, so it waits: '), `${error.message} (${error.code})`])
    return undefined
  }
}

// --------------------------------------------------------------------------------------------------- a list

async function tellWaiting({ out }: Context, host: Host, waiting: readonly Question[]): Promise<void> {
  const documents = await Promise.all(waiting.map((question) => documentOf(host, question)))
  out.result({ waiting: documents }, [
    ...(waiting.length === 0 ? ['nothing waits for your consent'] : []),
    ...waiting.map(shortLine),
  ])
}

/** With what changes, where that can be had. */
async function documentOf(host: Host, question: Question): Promise<object> {
  try {
    return { ...question, comparison: (await host.explain(question.id)).comparison }
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    return { ...question, error: { code: error.code, message: error.message } }
  }
}
