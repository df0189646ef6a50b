import { isJsonObject, refuse, type JsonObject } from '../core/index.js'
import type { Review } from '../review.js'
import type { ListKind } from './events.js'
import type { Settings } from './options.js'
import { Surface } from './surface.js'
import { EMPTY_WALK, LISTS, MAX_ITEMS, walkPages, type ListSpec, type Walked } from './walk.js'
import type { Wire } from './wire.js'

/** Walks the server's lists and has the host judge them. */
export class Verifier {
  readonly tools: Surface
  /** As the handshake told; undefined when the host connected without one. */
  capabilities: JsonObject | undefined
  /** As received. */
  instructions: string | undefined
  readonly #surfaces: ReadonlyMap<ListKind, Surface>
  readonly #settings: Settings
  readonly #wire: Wire
  readonly #told = new Set<string>()
  #observing: boolean

  constructor(settings: Settings, wire: Wire) {
    this.#settings = settings
    this.#wire = wire
    this.#observing = settings.host.policy?.mode === 'observe'
    this.#surfaces = new Map(LISTS.map((list) => [list.kind, this.#openSurface(list)]))
    this.tools = this.surface('tools')
  }

  /** Policy `observe`, as the host says and each review repeats. */
  get observing(): boolean {
    return this.#observing
  }

  surface(kind: ListKind): Surface {
    return this.#surfaces.get(kind) ?? refuse('usage', `no such list: ${kind}`)
  }

  /** True the first time; what is said once for each tool is bounded by the tools a list can have. */
  tellOnce(what: string): boolean {
    if (this.#told.has(what) || this.#told.size >= 4 * MAX_ITEMS) return false
    this.#told.add(what)
    return true
  }

  /** The lists whose offer is another one by what the registry says now, or can no longer be verified. */
  async recheck(): Promise<Surface[]> {
    const changed: Surface[] = []
    await this.#settings.host.refresh().catch((error: unknown) => this.#failed(error))
    for (const surface of this.#surfaces.values()) {
      if (await surface.recheck().catch(() => true)) changed.push(surface)
    }
    return changed
  }

  #openSurface(list: ListSpec): Surface {
    return new Surface(list, {
      walk: () => this.#walk(list),
      review: (walked) => this.#review(list, walked),
      isModern: () => this.#wire.modern,
      emit: this.#settings.emit,
      maxAgeMs: this.#settings.recheckMs,
      onError: (error) => this.#failed(error),
    })
  }

  #walk(list: ListSpec): Promise<Walked> {
    const absent = this.capabilities !== undefined && !isJsonObject(this.capabilities[list.capability])
    if (absent && list.kind === 'tools') return Promise.resolve(EMPTY_WALK)
    return walkPages(list, (method, params) => this.#wire.ask(method, params))
  }

  /** Prompts and templates are judged together with the tools: one version of the server speaks for all of them. */
  async #review(list: ListSpec, walked: Walked): Promise<Review> {
    const tools = list.kind === 'tools' ? walked : (await this.tools.settle()).walked
    const review = await this.#withinBudget(
      this.#settings.host.review({
        ...this.#settings.target,
        tools: tools.items,
        ...(this.instructions !== undefined && { instructions: this.instructions }),
        ...(list.kind === 'prompts' && { prompts: walked.items }),
        ...(list.kind === 'resourceTemplates' && { resourceTemplates: walked.items }),
        ...(list.kind === 'resources' && { resources: walked.items }),
      }),
    )
    this.#observing = review.mode === 'observe'
    return review
  }

  async #withinBudget<T>(work: Promise<T>): Promise<T> {
    const { verifyMs } = this.#settings
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), verifyMs)))
    try {
      const done = await Promise.race([work.then((value) => ({ value })), late])
      return (
        done?.value ?? refuse('registry-unreachable', 'the verification took too long', { reason: 'budget' })
      )
    } catch (error) {
      this.#failed(error)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  #failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed'
    this.#settings.emit({ type: 'verifier-failed', code, message })
  }
}
