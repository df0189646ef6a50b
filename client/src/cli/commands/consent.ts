import type { Command } from 'commander'
import { examples, type Lazy } from './shared.js'

/** What a person agrees to. */
export function addConsent(program: Command, lazy: Lazy): void {
  program
    .command('consent [name]')
    .summary('agree to what changed, or refuse it')
    .description(
      'Shows what waits for your consent, of all servers or of NAME (a server nobody signed is named as it is configured): ' +
        'what each change means, the worst first, then the exact text before and after with hidden characters visible. What ' +
        'you agree to is these digests and nothing else.',
    )
    .option('--list', 'only show what waits')
    .option('--agree <id...>', 'agree to these without being asked')
    .option('--refuse <id...>', 'refuse these without being asked')
    .addHelpText(
      'after',
      examples(
        'countersign consent',
        'countersign consent com.example/weather --list --json',
        'countersign consent --agree sha256:…',
      ),
    )
    .action(lazy(async () => (await import('../consent.js')).consent))
}
