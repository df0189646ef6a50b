import type { Command } from 'commander'
import { examples, type Lazy } from './shared.js'

/** What an auditor does; and completions. */
export function addLog(program: Command, lazy: Lazy): void {
  program
    .command('log')
    .description('Audit the registry.')
    .command('verify')
    .description('Replays the whole log from its tiles. Exit 3, with evidence, on any lie.')
    .option('--evidence <file>', 'where to write the evidence')
    .action(lazy(async () => (await import('../log/log-verify.js')).verifyLog))
  program
    .command('completion <shell>')
    .description('Prints completions for bash, zsh or fish.')
    .addHelpText('after', examples('source <(countersign completion bash)'))
    .action(async function (this: Command) {
      const { printCompletion } = await import('../completion.js')
      printCompletion(program, this.args[0] ?? '')
    })
}
