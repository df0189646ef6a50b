import { changeOf } from '../../../src/review/change.js'
import { openNames } from '../../../src/publish/names.js'
import { inspect } from '../../../src/publish/inspect.js'
import { publish } from '../../../src/publish/publish.js'
import { verifySubmission } from '../../../src/publish/submission.js'
import { addPublisher, approveManifest, expectStatus, startRegistry } from '../../support/registry.js'
import { largeEnvelope, SERVERS } from './manifests.js'

const RUNS = 200
const TOGETHER = 64

/**
 * Where the time of a publish goes, in microseconds: each step alone in this process, the log's share in groups of 64, and
 * beside them what a whole publish takes over HTTP. That is less than their sum: under load one publish is verified and
 * compared in its thread while another one is logged.
 */
export async function benchSteps(wholeMicroseconds: number): Promise<string> {
  const at = await startRegistry()
  try {
    const { caller, key } = await addPublisher(at, 'com.example')
    const { context, auth } = at.registry.rooms
    const publishing = { ...context, names: openNames(context.store) }
    let serial = 0
    const next = (): string => largeEnvelope(at.identity, serial++, key)
    while (serial < SERVERS) {
      await approveManifest(
        at.admin,
        expectStatus(201, await caller.post('/v1/manifests', next())).body.manifest,
      )
    }
    const token = await caller.token()
    const call = { method: 'POST', path: '/v1/manifests', authorization: `Bearer ${token}`, dpop: undefined }
    const principal = await auth.authenticate(call)
    const steps = new Map<string, number>()
    const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
      const start = performance.now()
      const done = await work()
      steps.set(name, (steps.get(name) ?? 0) + (performance.now() - start) * 1000)
      return done
    }
    for (let run = 0; run < RUNS; run++) {
      const envelope = next()
      await timed('token', () => auth.authenticate(call))
      const submission = await timed('signature, parsing and gates', () =>
        verifySubmission(publishing, principal.account, envelope),
      )
      const { findings } = await timed('names', () => inspect(publishing, submission))
      const { manifestDigest: digest, claims } = submission
      await timed('change', () => changeOf(publishing, { digest, server: claims.server, envelope }, findings))
    }
    const each = [...steps].map(([name, all]): [string, number] => [name, all / RUNS])
    const envelopes = Array.from({ length: RUNS - (RUNS % TOGETHER) }, next)
    const start = performance.now()
    for (let i = 0; i < envelopes.length; i += TOGETHER) {
      await Promise.all(envelopes.slice(i, i + TOGETHER).map((one) => publish(publishing, principal, one)))
    }
    const inside = ((performance.now() - start) * 1000) / envelopes.length
    const before = each.filter(([name]) => name !== 'token').reduce((all, [, us]) => all + us, 0)
    each.push(['log and database', inside - before])
    const sum = each.reduce((all, [, us]) => all + us, 0)
    each.push(['all of these, one after the other', sum])
    each.push(['over HTTP, 64 in flight, side by side', wholeMicroseconds])
    return ['publish, microseconds a step:', ...each.map(([name, us]) => `  ${name}: ${us.toFixed(0)}`)].join(
      '\n',
    )
  } finally {
    await at.close()
  }
}
