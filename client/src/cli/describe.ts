import { parseNamespace, parseServerName, parseVersion, refuse, type Manifest } from '../core/index.js'
import { buildManifest, type Capture } from '../publish/index.js'
import { readSettings, type Context } from './context.js'
import { pinnedIdentity } from './pinned.js'
import { asUsage } from './reference.js'

/** What a person says about a server beyond what its capture shows. */
export interface DescribeOptions {
  readonly setVersion?: string
  readonly slots?: string
  readonly subject?: string
  readonly title?: string
  readonly description?: string
}

/** A manifest for the pinned registry out of a capture and what was typed. */
export async function describe(
  context: Context,
  capture: Capture,
  given: { name: string | undefined; role: Manifest['role']; options: DescribeOptions },
): Promise<Manifest> {
  const { name, role, options } = given
  const { slots = 'sure', subject, title, description } = options
  if (slots !== 'none' && slots !== 'sure' && slots !== 'all') refuse('usage', '--slots is none, sure or all')
  return buildManifest(capture, {
    registry: await pinnedIdentity(context),
    server: asUsage(() => parseServerName(name ?? defaultName(context, capture)).name),
    version: asUsage(() => parseVersion(options.setVersion ?? defaultVersion(capture)).text),
    role,
    slots,
    ...(subject !== undefined && { subjectServer: asUsage(() => parseServerName(subject).name) }),
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
  })
}

/** `@scope/server-files` under the namespace of this home folder: `com.example/server-files`. */
function defaultName(context: Context, capture: Capture): string {
  const { namespace } = readSettings(context)
  const identifier = capture.package?.ref.identifier
  if (namespace === undefined || identifier === undefined) {
    refuse('usage', 'name the server: --as NAMESPACE/NAME for vouch, --server NAMESPACE/NAME for capture')
  }
  return `${parseNamespace(namespace)}/${identifier.replace(/^@[^/]*\//, '').replaceAll(/[^a-zA-Z0-9._-]/g, '-')}`
}

function defaultVersion(capture: Capture): string {
  const version = capture.package?.ref.version
  return version ?? refuse('usage', 'say which version this is: --set-version 1.4.0')
}
