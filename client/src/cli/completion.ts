import type { Command } from 'commander'
import { refuse } from '../core/index.js'

/** `countersign completion`: a static script made from the command tree; it never starts this program. */
export function printCompletion(program: Command, shell: string): void {
  const paths = collect(program, '')
  if (shell === 'bash') process.stdout.write(bash(paths))
  else if (shell === 'zsh')
    process.stdout.write(`autoload -U +X bashcompinit && bashcompinit\n${bash(paths)}`)
  else if (shell === 'fish') process.stdout.write(fish(paths))
  else refuse('usage', 'completions are for bash, zsh or fish')
}

interface Path {
  /** Words from the program on, `key add`; empty for the program itself. */
  readonly path: string
  readonly words: readonly string[]
  readonly about: ReadonlyMap<string, string>
}

function collect(command: Command, path: string): Path[] {
  const words = [
    ...command.commands.map((child) => child.name()),
    ...command.options.map((option) => option.long ?? '').filter((long) => long !== ''),
    '--help',
  ]
  const about = new Map(
    command.commands.map((child) => [child.name(), child.summary() || child.description()]),
  )
  const children = command.commands.flatMap((child) => collect(child, `${path} ${child.name()}`.trim()))
  return [{ path, words, about }, ...children]
}

/** Names of commands and options only: letters and hyphens, nothing a shell could expand. */
function bash(paths: readonly Path[]): string {
  const cases = paths.map(({ path, words }) => `    "${path}") words="${words.join(' ')}" ;;`).join('\n')
  const known = paths.map(({ path }) => `"${path}"`).join('|')
  return `_countersign() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${known}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _countersign countersign
`
}

function fish(paths: readonly Path[]): string {
  const lines = paths.flatMap(({ path, words, about }) => {
    const parents = path.split(' ').filter((word) => word !== '')
    const seen = parents.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')
    const when = seen === '' ? '__fish_use_subcommand' : seen
    return words.map((word) => {
      const text = (about.get(word) ?? '').replaceAll(/[^A-Za-z0-9 ,.:-]/g, '')
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word} -d '${text}'`
      return `complete -c countersign -n '${when}' ${what}`
    })
  })
  return `${lines.join('\n')}\n`
}
