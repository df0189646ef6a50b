import { parseManifest } from '../core/index.js'
import { signManifest } from '../publish/index.js'
import type { Context, Input } from './context.js'
import { readInput, writeOutput } from './files.js'
import { openSigner, type KeyOptions } from './keys/keys.js'
import { green } from './output.js'

interface Options extends KeyOptions {
  readonly out: string
}

/** `countersign sign`: no network; the manifest names the registry it is signed for. */
export async function sign(context: Context, { args, options }: Input<Options>): Promise<void> {
  const manifest = parseManifest(readInput(args[0] ?? '-'))
  const signer = await openSigner(context, options)
  const { envelope, digest } = signManifest(manifest, signer)
  const { server, version, registry } = manifest
  if (options.out !== '-') writeOutput(options.out, envelope)
  const document = { manifest: digest, server, version, registry, kid: signer.kid }
  if (context.out.json) context.out.result({ ...document, ...(options.out === '-' && { envelope }) }, [])
  else if (options.out === '-') context.out.bytes(`${envelope}\n`)
  else
    context.out.result(document, [
      [green('signed'), ` ${server} ${version} as ${digest}`],
      `written ${options.out}`,
    ])
}
