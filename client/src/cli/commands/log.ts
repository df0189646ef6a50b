import type { Command } from 'commander'
import { examples, type Lazy } from './shared.js'

/** What an auditor does; and completions. */
export function addLog(program: Command, lazy: Lazy): void {
  const log = program.command('log').description('Audit the registry.')
  log
    .command('verify')
    .description('Replays the whole log from its tiles. Exit 3, with evidence, on any lie.')
    .option('--from <index>', 'tell only of entries from this one on; all are read')
    .option('--evidence <file>', 'where to write the evidence')
    .action(lazy(async () => (await import('../log/log-verify.js')).verifyLog))
  log
    .command('monitor')
    .summary('watch the log from where the last run ended')
    .description(
      'Replays the log from where the last run ended, checks all that the registry shows and serves of it, tells of ' +
        'events of the watched namespaces, and keeps evidence of every lie. With --json one object a line: event, ' +
        'alert, lie, checkpoint, summary.',
    )
    .option('--namespace <names...>', 'namespaces to watch, with those below them')
    .option('--state <file>', 'where this monitor stands (default: monitor/ in the home folder)')
    .option('--from <index>', 'tell of entries from this one on (default: from where the last run ended)')
    .option('--evidence <dir>', 'folder of evidence (default: monitor/evidence in the home folder)')
    .option('--tiles <which>', 'all: read and hash everything again; new: what grew', 'new')
    .option('--every <seconds>', 'go on, with a run each so many seconds, until SIGTERM')
    .addHelpText('after', MONITOR_CODES)
    .addHelpText(
      'after',
      examples(
        'countersign log monitor --namespace com.example --json',
        '*/5 * * * * countersign log monitor --namespace com.example || mail -s "countersign $?" security@example.com',
      ),
    )
    .action(lazy(async () => (await import('../log/log-monitor.js')).monitorLog))
  program
    .command('completion <shell>')
    .description('Prints completions for bash, zsh or fish.')
    .addHelpText('after', examples('source <(countersign completion bash)'))
    .action(async function (this: Command) {
      const { printCompletion } = await import('../completion.js')
      printCompletion(program, this.args[0] ?? '')
    })
}

const MONITOR_CODES = `
Exit codes:
  0  nothing to tell
  3  a lie: what the registry signed or serves cannot be true; the evidence is kept
  4  the registry does not answer
  5  events of watched namespaces or alerts about the log, and no lie`
