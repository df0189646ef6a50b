import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseManifest, type Manifest } from 'countersign/core'
import { cliCommand, runCli } from '../support/cli.js'
import { openWorld, type SignedWorld } from '../support/guarded.js'
import { Peer, type Launch } from './peer.js'

/** A place on some machine: what programs that run there find. */
export interface Place {
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}

/** Says another host name and platform than the kernel's to every program of a place. */
const PRELOAD = `
const os = require('node:os')
const { PLACE_HOST, PLACE_OS } = process.env
if (PLACE_HOST) os.hostname = () => PLACE_HOST
if (PLACE_OS) os.platform = () => PLACE_OS
require('node:module').syncBuiltinESMExports()
`

/** A registry where servers are signed as they were captured, and a home folder that trusts it. */
export interface SignedPlaces {
  readonly world: SignedWorld
  readonly folder: string
  place(name: string, machine: { host: string; os?: string; shell?: string }): Place
  /** Captures as a person does, signs, publishes and approves what came out. */
  capture(server: string, command: readonly string[], at: Place, ...options: string[]): Promise<Manifest>
  publish(manifest: Partial<Manifest>): Promise<void>
  /** What a host starts in place of the server; `env` is what its configuration adds. */
  guard(
    server: string,
    command: readonly string[],
    at: Place,
    env?: Readonly<Record<string, string>>,
    ...options: string[]
  ): Peer
  /** The same, for who starts it otherwise. */
  guardLaunch(server: string, command: readonly string[], at: Place, ...options: string[]): Launch
  close(): Promise<void>
}

export async function openSignedPlaces(): Promise<SignedPlaces> {
  const world = await openWorld()
  const folder = mkdtempSync(join(tmpdir(), 'countersign-places-'))
  const home = join(folder, 'host')
  const preload = join(folder, 'preload.cjs')
  writeFileSync(preload, PRELOAD)
  const { url, fingerprint } = world.registry
  await succeed(['trust', 'add', url, '--fingerprint', fingerprint], { home })
  const guardLaunch: SignedPlaces['guardLaunch'] = (server, command, at, ...options) => ({
    command: cliCommand('guard', '--server', server, ...options, '--', ...command),
    cwd: at.folder,
    env: { ...at.env, COUNTERSIGN_HOME: home, COUNTERSIGN_REGISTRY: url },
  })
  return {
    world,
    folder,
    place: (name, machine) => makePlace(join(folder, name), preload, machine),
    async capture(server, command, { folder: cwd, env }, ...options) {
      const out = join(folder, `${server.replace('/', '-')}.json`)
      const asked = ['--set-version', '1.0.0', '--out', out, ...options, '--env', ...Object.keys(env)]
      await succeed(['capture', '--server', server, ...asked, '--', ...command], { home, cwd, env })
      const manifest = parseManifest(readFileSync(out))
      await world.publish(manifest)
      return manifest
    },
    publish: async (manifest) => {
      await world.publish(manifest)
    },
    guardLaunch,
    guard: (server, command, at, env = {}, ...options) => {
      const launch = guardLaunch(server, command, at, '--no-events', ...options)
      return new Peer({ ...launch, env: { ...launch.env, ...env } })
    },
    async close() {
      await world.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function makePlace(
  folder: string,
  preload: string,
  { host, os, shell = '/bin/bash' }: { host: string; os?: string; shell?: string },
): Place {
  const home = join(folder, 'home')
  mkdirSync(home, { recursive: true })
  return {
    folder,
    env: {
      ...OFFLINE,
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      SHELL: shell,
      NODE_OPTIONS: `--require=${preload}`,
      PLACE_HOST: host,
      ...(os !== undefined && { PLACE_OS: os }),
    },
  }
}

/** Nothing reports home, and what tries to reach the network finds a port where nobody listens. */
export const OFFLINE = {
  DO_NOT_TRACK: '1',
  FRAMELINK_TELEMETRY: 'off',
  NO_UPDATE_NOTIFIER: '1',
  HTTP_PROXY: 'http://127.0.0.1:9',
  HTTPS_PROXY: 'http://127.0.0.1:9',
  NO_PROXY: '127.0.0.1,localhost',
} as const

async function succeed(args: readonly string[], options: Parameters<typeof runCli>[1]): Promise<void> {
  const { code, stdout, stderr } = await runCli(args, options)
  if (code !== 0) throw new Error(`${args.join(' ')}: exit ${code}\n${stdout}\n${stderr}`)
}
