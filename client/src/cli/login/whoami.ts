import { fetchMe, meLines } from '../account.js'
import { openPublisherCall } from '../call.js'
import { registryUrl, type Context } from '../context.js'
import { pairs } from '../output.js'

/** `countersign whoami`: the registry is asked, so that the answer is what it says now. */
export async function whoami(context: Context): Promise<void> {
  const registry = registryUrl(context)
  const me = await fetchMe(openPublisherCall(context))
  context.out.result({ registry, ...me }, [...pairs([['registry  ', registry]]), ...meLines(me)])
}
