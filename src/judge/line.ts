import { JudgeUnavailable } from './errors.js'
import type { Task, Value } from './work.js'

export interface LineLimits {
  /** Tasks that wait or are being done. */
  readonly tasks: number
  /** Of their envelopes together. */
  readonly characters: number
}

export interface Job {
  readonly id: number
  readonly task: Task
  readonly size: number
  /** Threads that ended while they did it. */
  deaths: number
  settle(outcome: () => Value): void
}

/** Jobs in the order in which they came, which is the order in which a thread does them. */
export interface Line {
  /** Throws JudgeUnavailable when too much waits. */
  add(task: Task, size: number, settle: Job['settle']): Job
  /** Takes it out; undefined when it is not in line any more. */
  take(id: number): Job | undefined
  /** What is being done, if anything is. */
  first(): Job | undefined
  all(): readonly Job[]
}

export function openLine(limits: LineLimits): Line {
  const jobs = new Map<number, Job>()
  let size = 0
  let next = 0
  return {
    add(task, own, settle) {
      // What waits for nothing is taken, however large: the door caps an envelope.
      const isFull = jobs.size >= limits.tasks || (jobs.size > 0 && size + own > limits.characters)
      if (isFull) throw new JudgeUnavailable('judge-busy', 'too many manifests wait to be judged')
      const job: Job = { id: next++, task, size: own, deaths: 0, settle }
      jobs.set(job.id, job)
      size += own
      return job
    },
    take(id) {
      const job = jobs.get(id)
      if (job === undefined) return undefined
      jobs.delete(id)
      size -= job.size
      return job
    },
    first: () => jobs.values().next().value,
    all: () => [...jobs.values()],
  }
}
