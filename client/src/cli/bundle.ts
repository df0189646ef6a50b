import type { Context, Input } from './context.js'
import { writeOutput } from './files.js'
import { openCliHost } from './host.js'
import { green } from './output.js'
import { parseReference } from './reference.js'

/** `countersign bundle`: verified before it is written; it proves itself again wherever it is used. */
export async function bundle(context: Context, { args, options }: Input<{ out: string }>): Promise<void> {
  const { server, version } = parseReference(args[0] ?? '')
  const host = await openCliHost(context)
  try {
    const verified = await host.verify(server, version)
    const bytes = await host.offlineBundle(server, verified.version)
    print(context, options.out, { server, version: verified.version, manifest: verified.digest }, bytes)
  } finally {
    await host.close()
  }
}

interface About {
  readonly server: string
  readonly version: string
  readonly manifest: string
}

function print(context: Context, out: string, about: About, bytes: Uint8Array): void {
  if (out !== '-') writeOutput(out, bytes)
  if (context.out.json && out === '-') {
    const bundle: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    context.out.result({ ...about, out: null, bundle }, [])
  } else if (out === '-') context.out.bytes(bytes)
  else {
    const said = ` ${out} (${about.server} ${about.version}, ${bytes.length} bytes)`
    context.out.result({ ...about, out }, [[green('written'), said]])
  }
}
