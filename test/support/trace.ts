import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'

/** System calls that change files, make them durable, or send an answer. */
const CALLS = 'fdatasync,fsync,pwrite64,pwritev,write,writev,sendto,sendmsg,ftruncate'

/** The tracer's command line in front of the traced one, or undefined (said loudly) where it is absent or not allowed. */
export function tracer(file: string): readonly string[] | undefined {
  // -D: the traced process is our own child and can be signalled; the tracer stands aside.
  const flags = ['-D', '-f', '-q', '-y', '-s', '64', '-e', `trace=${CALLS}`, '-e', 'signal=none']
  const probe = spawnSync('strace', [...flags, '-o', '/dev/null', process.execPath, '--version'], {
    encoding: 'utf8',
  })
  if (probe.status === 0) return ['strace', ...flags, '-o', file]
  console.warn(
    `SKIPPING TESTS: strace is absent or not permitted: ${String(probe.error ?? probe.stderr).slice(0, 300)}`,
  )
  return undefined
}

/** One system call that succeeded, in the order of their returns. */
export interface Call {
  readonly name: string
  /** What the descriptor is: a path, or `socket:[…]`. */
  readonly target: string
  readonly data: string
}

const WHOLE = /^(\d+)\s+(\w+)\((\d+)<([^>]*)>(.*)\)\s+= (-?\d+)/
const BEGUN = /^(\d+)\s+(\w+)\((\d+)<([^>]*)>(.*) <unfinished \.\.\.>$/
const ENDED = /^(\d+)\s+<\.\.\. (\w+) resumed>.*= (-?\d+)/

/**
 * Reads a trace. A call that another thread interrupts stands on two lines: writes count from where they begin, for an
 * answer may be on its way then; syncs from where they end, for only then is anything durable.
 */
export async function readTrace(file: string, pid: number): Promise<Call[]> {
  const calls: Call[] = []
  const begun = new Map<string, Call>()
  for (const line of (await wholeTrace(file, pid)).split('\n')) {
    const [, thread = '', name = '', , target = '', data = '', result] =
      WHOLE.exec(line) ?? BEGUN.exec(line) ?? []
    const ended = ENDED.exec(line)
    if (ended !== null) {
      const sync = begun.get(ended[1] ?? '')
      if (sync !== undefined && ended[3] === '0') calls.push(sync)
      begun.delete(ended[1] ?? '')
    } else if (name !== '' && result === undefined && isSync(name)) begun.set(thread, { name, target, data })
    else if (name !== '' && !(result ?? '0').startsWith('-')) calls.push({ name, target, data })
  }
  return calls
}

/** The tracer writes its last lines after the process is gone. */
async function wholeTrace(file: string, pid: number): Promise<string> {
  for (let tries = 0; tries < 2000; tries++) {
    const text = await readFile(file, 'utf8')
    if (new RegExp(`^${pid} +\\+\\+\\+ (exited|killed)`, 'm').test(text)) return text
    await wait(20)
  }
  throw new Error('the trace has no end')
}

export function isSync(name: string): boolean {
  return name === 'fdatasync' || name === 'fsync'
}

/** What stood on disk when an answer left. */
export interface Answer {
  /** Files of the folder with bytes that were written and not yet synced. */
  readonly unsynced: readonly string[]
  /** Calls since the answer before. */
  readonly writes: number
  readonly syncs: number
}

/** The answers with this status line, each with the state of the files under `folder` at its moment. */
export function answersIn(calls: readonly Call[], folder: string, statusLine: string): Answer[] {
  const answers: Answer[] = []
  const unsynced = new Set<string>()
  let writes = 0
  let syncs = 0
  for (const { name, target, data } of calls) {
    if (target.startsWith(folder) && isSync(name)) {
      unsynced.delete(target)
      syncs += 1
    } else if (target.startsWith(folder)) {
      unsynced.add(target)
      writes += 1
    } else if (target.startsWith('socket:') && data.includes(statusLine)) {
      answers.push({ unsynced: [...unsynced], writes, syncs })
      writes = 0
      syncs = 0
    }
  }
  return answers
}
