import { parseManifest, refuse } from '../core/index.js'
import { signManifest, submitManifest, waitForDecision, type Submission } from '../publish/index.js'
import { openPublisherCall, type Call } from './call.js'
import type { Context, Input } from './context.js'
import { lateLines } from './entry.js'
import { Refused } from './failures.js'
import { readInput } from './files.js'
import { findingLines } from './findings.js'
import { openSigner, type KeyOptions } from './keys/keys.js'
import { bold, dim, green, pairs, yellow } from './output.js'

interface Options extends KeyOptions {
  readonly wait?: boolean
}

/** `countersign publish`: an envelope goes as it is; a manifest is signed first. */
export async function publish(context: Context, { args, options }: Input<Options>): Promise<void> {
  const text = Buffer.from(readInput(args[0] ?? '-')).toString('utf8')
  const envelope = await toEnvelope(context, text.trim(), options)
  const call = openPublisherCall(context)
  await finishSubmission(context, call, envelope, options.wait === true)
}

async function toEnvelope(context: Context, text: string, options: Options): Promise<string> {
  if (/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(text)) return text
  if (!text.startsWith('{')) refuse('usage', 'this is neither a manifest nor an envelope')
  return signManifest(parseManifest(Buffer.from(text, 'utf8')), await openSigner(context, options)).envelope
}

/** Pushes an envelope, waits for the decision when asked to, and prints what the registry said. */
export async function finishSubmission(
  context: Context,
  call: Call,
  envelope: string,
  wait: boolean,
): Promise<void> {
  const submission = await submitManifest(call, envelope)
  const decided = wait ? await awaitDecision(context, call, submission, envelope) : submission
  const { server, version, manifest, status, index, findings } = decided
  const paint = status === 'approved' ? green : yellow
  context.out.result(decided, [
    [bold(`${server} ${version}`), ' is ', paint(status)],
    ...pairs([
      ['manifest', manifest],
      ['log index', index === undefined ? 'not yet' : String(index)],
    ]),
    ...findingLines(findings),
    ...lateLines(decided),
    ...(status === 'pending' ? [[dim(`next: countersign admin show ${server}@${version}`)]] : []),
  ])
  if (wait && status !== 'approved') throw new Refused(status)
}

/** An approval is shown when it is published, and so is then what it approves. */
async function awaitDecision(
  context: Context,
  call: Call,
  submission: Submission,
  envelope: string,
): Promise<Submission> {
  if (submission.status !== 'pending') return submission
  const { published, ...said } = submission
  const { server, version, index = '-' } = said
  context.out.say(`${server} ${version} waits for a decision (log index ${index})`)
  for (const line of lateLines(submission)) context.out.say(line)
  const status = await waitForDecision(call, server, version, { signal: context.signal, envelope })
  return { ...said, ...(status !== 'approved' && published === false && { published }), status }
}
