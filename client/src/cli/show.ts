import type { Context, Input } from './context.js'
import { openCliHost } from './host.js'
import { manifestLines } from './manifest-view.js'
import { parseReference } from './reference.js'

/** `countersign show`: the manifest, verified before anything of it is printed. */
export async function show(context: Context, { args }: Input): Promise<void> {
  const { server, version } = parseReference(args[0] ?? '')
  const host = await openCliHost(context)
  try {
    const verified = await host.verify(server, version)
    const { digest, manifest, kid, publishIndex, approveIndex } = verified
    context.out.result(
      { manifest: digest, kid, publishIndex, approveIndex, document: manifest },
      manifestLines(manifest),
    )
  } finally {
    await host.close()
  }
}
