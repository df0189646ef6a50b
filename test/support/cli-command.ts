import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { program } from './programs.js'

const here = dirname(fileURLToPath(import.meta.url))

/** The command line of a TypeScript program beside this file. */
export function script(name: string, ...args: readonly string[]): string[] {
  return program(name, ...args)
}

/** The raw server in one of its modes. */
export function rawServer(mode: string, ...args: readonly string[]): string[] {
  return script('cli-server.ts', mode, ...args)
}

/** The command line of a real server from npm, as installed beside us. */
export function realServer(
  name: 'filesystem' | 'everything' | 'memory',
  ...args: readonly string[]
): string[] {
  const folder = join(here, '..', '..', 'node_modules', '@modelcontextprotocol', `server-${name}`)
  return [process.execPath, join(folder, 'dist', 'index.js'), ...args]
}
