import type { Command } from 'commander'
import { examples, type Lazy } from './shared.js'

/** A copy of everything that hosts ask for. */
export function addMirror(program: Command, lazy: Lazy): void {
  program
    .command('mirror')
    .summary('a static, self-verifying copy of a registry')
    .description(
      'Copies everything that hosts ask a registry for into a folder: its logs, trust roots, status, revocations, bundles ' +
        'and lists. Everything is verified before it is written, and by every host again: whoever serves the folder need ' +
        'not be trusted. A host reads it as file:///…, or from any web server. A run copies what is new since the last one.',
    )
    .requiredOption('--out <dir>', 'the folder; it must be empty at first')
    .option('--server <name...>', 'these servers only (default: all)')
    .option('--again', 'fetch everything again: mends what was damaged in the folder')
    .option('--every <seconds>', 'go on, a run as often as this')
    .option('--token-file <file>', 'access token for a private registry (default: this person’s login)')
    .addHelpText('after', MORE)
    .action(lazy(async () => (await import('../mirror.js')).mirror))
}

const MORE = `
A mirror tells the truth of when it was last run. Hosts call it stale when the registry's last word in it is older than
the trust root allows: run it more often than that, and often enough for a revocation to matter. A run that is killed, or
meets a full disk, leaves what was there; the next one goes on. Exit 3: something did not hold and was left out.

Serve the folder as it is: 404 for what is not there, no rewriting of names, any content type. Copy it elsewhere with
v1/status after log/, v1/root, v1/revocations and v1/bundles, and before v1/servers and v1/lookup.
${examples(
  'countersign mirror --out /srv/mirror --every 300',
  'countersign mirror --out /media/usb/mirror --server com.example/weather',
  'countersign check --registry file:///media/usb/mirror -- npx -y weather-mcp@1.4.0',
)}`
