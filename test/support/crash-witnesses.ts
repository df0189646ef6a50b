import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatVerifierKey, openCheckpoint, sha256HexOfText, type Checkpoint } from 'countersign/core'
import { openKeys, type RegistryKeys } from '../../src/log/keys.js'
import { startWitnessProcess, type WitnessProcess } from '../witness/process.js'
import { insist, onFreePort } from './ports.js'

/** Two real witnesses in processes of their own, both of which must cosign. */
export interface WitnessPair {
  /** The tlog-policy that names them. */
  readonly policyFile: string
  /** Kills one of them and starts it again over its own data. */
  killOne(): Promise<void>
  /** The newest checkpoint of each; throws where one has cosigned nothing. */
  checkpoints(): Promise<Checkpoint[]>
  end(): Promise<void>
}

const NAMES = ['witness.example/w1', 'witness.example/w2']

/** Makes the registry's keys, so that the witnesses know its log before it starts first. */
export async function startWitnessPair(folder: string): Promise<WitnessPair> {
  await mkdir(join(folder, 'data'), { recursive: true })
  const keys = await openKeys(join(folder, 'data', 'keys'))
  const { name, type, publicKey } = keys.log.key
  const args = NAMES.map((witness, i) => [
    ...['--key', join(folder, `witness-${i}.key`), '--name', witness],
    ...['--log', formatVerifierKey(name, type, publicKey)],
  ])
  const start = (own: readonly string[], port: number | string): Promise<WitnessProcess> =>
    startWitnessProcess(...own, '--listen', String(port))
  const running = await Promise.all(args.map((own) => onFreePort((port) => start(own, port))))
  const policyFile = join(folder, 'witnesses.txt')
  await writeFile(policyFile, policyOf(running))
  let turn = 0
  return {
    policyFile,
    killOne: async () => {
      const i = turn++ % running.length
      const victim = running[i]!
      await victim.end('SIGKILL')
      // Its address stands in the trust root.
      running[i] = await insist(() => start(args[i]!, new URL(victim.url).port))
    },
    checkpoints: () => Promise.all(running.map((one) => newestOf(one, keys))),
    end: async () => {
      await Promise.all(running.map((one) => one.end('SIGTERM')))
    },
  }
}

function policyOf(witnesses: readonly WitnessProcess[]): string {
  const lines = witnesses.map(({ vkey, url }, i) => `witness w${i + 1} ${vkey} ${url}`)
  return [...lines, 'group both all w1 w2', 'quorum both', ''].join('\n')
}

async function newestOf({ url }: WitnessProcess, { origin, log }: RegistryKeys): Promise<Checkpoint> {
  const response = await fetch(`${url}/${sha256HexOfText(origin)}/checkpoint`)
  if (response.status !== 200) throw new Error(`the witness answered ${response.status}`)
  return openCheckpoint(await response.text(), { origin, key: log.key }).checkpoint
}
