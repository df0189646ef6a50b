import type { Input } from '../context.js'
import { encodeBase64, encodeKeyX, randomBytes, signerFromSeed } from '../../core/index.js'
import { writeKey } from '../../node/index.js'
import { defaultKeyFile, type Context } from '../context.js'
import { readSecret } from '../files.js'
import { pairs } from '../output.js'

interface Options {
  readonly out?: string
  readonly passphraseFile?: string
}

/** `countersign keygen`: the private key goes to a file and nowhere else. */
export async function keygen(context: Context, { options }: Input<Options>): Promise<void> {
  const file = options.out ?? defaultKeyFile(context)
  const passphrase = options.passphraseFile === undefined ? undefined : readSecret(options.passphraseFile)
  const seed = randomBytes(32)
  const { kid, publicKey } = signerFromSeed(seed)
  await writeKey(file, seed, passphrase)
  seed.fill(0)
  const x = encodeKeyX(publicKey)
  const proof = `v=MCPv1; k=ed25519; p=${encodeBase64(publicKey)}`
  const jwk = { kty: 'OKP', crv: 'Ed25519', alg: 'Ed25519', use: 'sig', kid, x }
  context.out.result(
    { kid, file, encrypted: passphrase !== undefined, jwk, dnsTxt: proof, wellKnown: WELL_KNOWN },
    [
      ...pairs([
        ['kid', kid],
        ['key file', file],
        ['encrypted', passphrase === undefined ? 'no' : 'yes'],
        ['jwk', JSON.stringify(jwk)],
        ['DNS TXT', proof],
        ['well-known', `${WELL_KNOWN} holding the same line`],
      ]),
    ],
  )
}

/** Where the MCP Registry looks for the same line over HTTPS. */
const WELL_KNOWN = '/.well-known/mcp-registry-auth'
