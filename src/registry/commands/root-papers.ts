import { join } from 'node:path'
import { rootFingerprint } from 'countersign/core'
import { makeRootKey } from '../root/key.js'
import { describeProposal, readProposal, signProposal } from '../root/sign.js'
import type { Command } from './command.js'

// What the holder of a root key does, on a machine that has no database and no network.

/** `root key` */
export const keyCommand: Command = async ({ terminal, input }) => {
  terminal.say(await makeRootKey(input.one('out') ?? '', input.one('name') ?? ''))
}

/** `root sign FILE` */
export const signCommand: Command = async ({ config, terminal, input }) => {
  const file = input.args[0] ?? ''
  const keyFile = input.one('key') ?? join(config.dataDir, 'keys', 'root.key')
  const next = await signProposal({ file, keyFile, previousFile: input.one('previous') }, terminal)
  if (next !== undefined) terminal.tell(`Next: ${next}`)
}

/** `root show FILE` */
export const showCommand: Command = async ({ terminal, input }) => {
  const proposal = await readProposal(input.args[0] ?? '', input.one('previous'))
  for (const line of describeProposal(proposal)) terminal.say(line)
  if (proposal.draft.root.version === 1) terminal.say(`  fingerprint ${rootFingerprint(proposal.draft.text)}`)
}
