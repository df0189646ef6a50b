import type { Command } from 'commander'

/** Everything about which server: the same words for capture, vouch, check and guard. */
export function target(command: Command): Command {
  return command
    .argument('[command...]', 'the server, behind --')
    .option('--url <url>', 'a remote server (Streamable HTTP) instead of a command')
    .option('--header <header...>', 'for a URL: NAME: VALUE, sent and never recorded')
    .option('--env <name...>', 'environment variable the server needs: NAME, or NAME=VALUE')
    .option('--timeout <seconds>', 'for the server to start', '120')
}

/** What a person says about a server beyond what it shows. */
export function describing(command: Command): Command {
  return command
    .option('--set-version <version>', 'its version (default: that of the package)')
    .option('--slots <which>', 'proposals that become slots: none, sure or all', 'sure')
    .option('--subject <name>', 'the name its publisher gave it, when it is no package')
    .option('--title <text>', 'a title for people')
    .option('--description <text>', 'a description for people')
}
