import { describe, expect, it } from 'vitest'
import type { CallInfo } from '../../client/src/guard/events.js'
import { describeEvent } from '../../client/src/proxy/index.js'
import { MAX_WAITING, Outbox } from '../../client/src/proxy/outbox.js'

describe('the outbox', () => {
  it('sends one after the other, in order', async () => {
    const sent: object[] = []
    const release: (() => void)[] = []
    const box = new Outbox(
      (message) => {
        sent.push(message)
        return new Promise((resolve) => release.push(resolve))
      },
      (error) => expect.unreachable(error.message),
    )
    for (const n of [1, 2, 3]) box.push({ n })
    for (let n = 1; n <= 3; n++) {
      await expect.poll(() => sent).toHaveLength(n)
      release[n - 1]?.()
    }
    expect(sent).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  })

  it('gives a reader up that never reads, once', () => {
    const failures: Error[] = []
    const box = new Outbox(
      () => new Promise(() => undefined),
      (error) => failures.push(error),
    )
    for (let n = 0; n < MAX_WAITING + 100; n++) box.push({ n })
    expect(failures).toHaveLength(1)
  })

  it('gives up when sending fails', async () => {
    const failures: string[] = []
    const box = new Outbox(
      () => Promise.reject(new Error('EPIPE')),
      (error) => failures.push(error.message),
    )
    box.push({})
    await expect.poll(() => failures).toHaveLength(1)
    box.push({})
    expect(failures).toEqual(['EPIPE'])
  })
})

describe('lines for people', () => {
  const callOf = (name: string): CallInfo => {
    return { n: 1, method: 'tools/call', name, arguments: undefined, meta: undefined }
  }

  it('show hidden characters and escapes instead of printing them', () => {
    const tool = 'evil\u001b[2J\u202e\u200bname'
    const line =
      describeEvent({
        type: 'call-refused',
        call: callOf(tool),
        tool,
        code: 'unlisted-tool',
        detail: { name: tool },
      }) ?? ''
    expect(line).toContain('unlisted-tool')
    expect(line).not.toMatch(/[\u001b\u202e\u200b]/)
  })

  it('say nothing of what is usual', () => {
    const call = callOf('now')
    expect(describeEvent({ type: 'call-allowed', call, tool: 'now', digest: 'sha256:00' })).toBeUndefined()
  })
})
