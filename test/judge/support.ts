import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { onTestFinished } from 'vitest'
import { encodeBase64url } from 'countersign/core'
import { openJudge, type ThreadOptions } from '../../src/judge/thread.js'
import type { Judge } from '../../src/judge/judge.js'
import { newKey } from '../support/registry.js'

export const key = newKey()
export const publicKey = encodeBase64url(key.publicKey)
export const REGISTRY = 'registry.example'

export interface Thread {
  readonly judge: Judge
  /** What was logged. */
  readonly warned: string[]
}

/** A thread that is closed with the test; without a module, the one that the build runs. */
export function openThread(options: Omit<ThreadOptions, 'log'> = {}): Thread {
  const warned: string[] = []
  const judge = openJudge({ ...options, log: { warn: (_, message) => void warned.push(message) } })
  onTestFinished(() => judge.close())
  return { judge, warned }
}

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'countersign-judge-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A module that a thread runs; `body` is what it does with `task`, whose `envelope` a test chose. */
export function moduleOf(body: string, before = ''): URL {
  const path = join(folder(), 'thread.mjs')
  writeFileSync(
    path,
    `import { existsSync, writeFileSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
${before}
const say = (id, by) => parentPort.postMessage({ id, value: { kind: 'examined', examined: { by } } })
parentPort.on('message', ({ id, task }) => {
${body}
})
parentPort.postMessage('ready')
`,
  )
  return pathToFileURL(path)
}

/** Who did it: the modules of these tests say so, in the place of what was examined. */
export async function doneBy(judge: Judge, envelope: string): Promise<unknown> {
  return ((await judge.examine(envelope, publicKey)) as unknown as { by: unknown }).by
}
