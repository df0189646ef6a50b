import type { Comparison } from 'countersign/change'
import type { Digest } from 'countersign/core'
import type { Finding } from 'countersign/gates'
import type { Examined } from './examine.js'
import { openWork, type Named, type Task, type Value } from './work.js'

/** One side of a comparison, and how to get its envelope where the manifest is not at hand. */
export interface Side {
  readonly digest: Digest
  /** Undefined when there is no such manifest. */
  readonly envelope: () => Promise<string | undefined>
}

/**
 * Does what is pure and takes long: verifies, parses, looks through the gates, compares. Refuses with CountersignError;
 * throws JudgeUnavailable where nothing can be said now.
 */
export interface Judge {
  examine(envelope: string, publicKey: string): Promise<Examined>
  /** Undefined when one side has no envelope. */
  compare(before: Side, after: Side, findings: readonly Finding[]): Promise<Comparison | undefined>
  close(): Promise<void>
}

/** Has a task done somewhere; `size` is what it takes in memory while it waits. */
export type Run = (task: Task, size: number) => Promise<Value>

export function judgeBy(run: Run, close: () => Promise<void>): Judge {
  return {
    async examine(envelope, publicKey) {
      const value = await run({ kind: 'examine', envelope, publicKey }, envelope.length)
      if (value.kind !== 'examined') throw new Error(`an envelope was ${value.kind}`)
      return value.examined
    },
    async compare(before, after, findings) {
      const compare = async (one: Named, other: Named) =>
        comparedOf(await run({ kind: 'compare', before: one, after: other, findings }, sizeOf(one, other)))
      const known = await compare({ digest: before.digest }, { digest: after.digest })
      if (known !== undefined) return known
      // Both are sent: what is known now may be forgotten when the task comes again.
      const [one, other] = [await before.envelope(), await after.envelope()]
      if (one === undefined || other === undefined) return undefined
      const sent = { digest: before.digest, envelope: one }
      return compare(sent, { digest: after.digest, envelope: other })
    },
    close,
  }
}

function comparedOf(value: Value): Comparison | undefined {
  if (value.kind === 'compared') return value.comparison
  if (value.kind === 'missing') return undefined
  throw new Error(`a comparison was ${value.kind}`)
}

function sizeOf(...sides: readonly Named[]): number {
  return sides.reduce((all, { envelope }) => all + (envelope?.length ?? 0), 0)
}

/** On the thread that asks, which answers nobody else meanwhile. */
export function openInlineJudge(): Judge {
  const work = openWork()
  return judgeBy(
    (task) => new Promise((resolve) => resolve(work(task))),
    () => Promise.resolve(),
  )
}

let inline: Judge | undefined

/** The judge of whoever has one; the others share one that is inline. */
export function judgeOf({ judge }: { readonly judge?: Judge }): Judge {
  return judge ?? (inline ??= openInlineJudge())
}
