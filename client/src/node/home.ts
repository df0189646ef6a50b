import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The folder of one person's trust, memory and keys: `COUNTERSIGN_HOME`, else the platform's configuration folder
 * (`$XDG_CONFIG_HOME` or `~/.config`, `~/Library/Application Support`, `%APPDATA%`) with `countersign` in it.
 */
export function homeFolder(env: Environment = process.env, platform: string = process.platform): string {
  const given = env['COUNTERSIGN_HOME']
  if (given !== undefined && given !== '') return resolve(given)
  return join(configFolder(env, platform), 'countersign')
}

function configFolder(env: Environment, platform: string): string {
  const home = env['HOME'] ?? homedir()
  if (platform === 'win32') return env['APPDATA'] ?? join(home, 'AppData', 'Roaming')
  if (platform === 'darwin') return join(home, 'Library', 'Application Support')
  const xdg = env['XDG_CONFIG_HOME']
  // The specification ignores relative paths.
  return xdg?.startsWith('/') === true ? xdg : join(home, '.config')
}
