import {
  decodeBase64url,
  manifestDigest,
  parseManifest,
  refuse,
  type JsonObject,
  type Manifest,
} from '../core/index.js'
import { fetchReview } from './admin-review.js'
import { openCall } from './call.js'
import type { Context, Input } from './context.js'
import { findingLines } from './findings.js'
import { manifestLines } from './manifest-view.js'
import { objectsOf, shownMember } from './members.js'
import { bold, dim, pairs } from './output.js'
import { resolveDigest } from './reference.js'

/** `countersign admin show`: read from the signed bytes, not from what the registry says about them. */
export async function showManifest(context: Context, { args }: Input): Promise<void> {
  const call = openCall(context)
  const digest = await resolveDigest(call, args[0] ?? '', 'pending')
  const { item, last } = await fetchReview(call, digest)
  const manifest = readSigned(item, digest)
  const findings = objectsOf(item['findings'])
  const { server, version } = manifest
  context.out.result(
    { manifest: digest, status: item['status'] ?? null, last, findings, document: manifest },
    [
      ...pairs([
        ['manifest', digest],
        ['account', shownMember(item, 'account')],
        ['log index', shownMember(item, 'index')],
      ]),
      ...manifestLines(manifest),
      '',
      [bold('findings')],
      ...findingLines(findings),
      [
        dim(
          `next: countersign admin approve ${server}@${version}   or: admin reject ${server}@${version} --reason …`,
        ),
      ],
    ],
  )
}

/** The payload of the envelope, whose digest is the one that will be approved. */
function readSigned(item: JsonObject, digest: string): Manifest {
  const envelope = item['envelope']
  const payload = decodeBase64url(typeof envelope === 'string' ? (envelope.split('.')[1] ?? '') : '')
  if (manifestDigest(payload) !== digest) {
    refuse('registry-error', 'the registry shows another manifest than the one asked for', {
      manifest: digest,
    })
  }
  return parseManifest(payload)
}
