import { describe, expect, it } from 'vitest'
import type { CallInfo } from '../../client/src/guard/events.js'
import { describeEvent } from '../../client/src/proxy/index.js'

const callOf = (name: string): CallInfo => {
  return { n: 1, method: 'tools/call', name, arguments: undefined, meta: undefined }
}

describe('lines for people', () => {
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
