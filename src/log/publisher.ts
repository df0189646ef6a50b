import type { Logger } from 'pino'
import type { FreshnessLimits } from 'countersign/core'
import type { Store } from '../storage/store.js'
import { LedgerFatal } from './errors.js'
import type { LogHashes } from './folded.js'
import type { Halt } from './halt.js'
import type { LogHead } from './head.js'
import type { RegistryKeys } from './keys.js'
import { planNext, promisedMs, PublicationTimer } from './publication-timer.js'
import { readRootNotes, rootsInForce } from './root-notes.js'
import type { RollbackMemory } from './rollback.js'
import { FRESHNESS } from './root.js'
import { isDenying, proveTree, statusOf, type ProvenTree } from './status.js'
import { cosigned, madeAt } from './timestamp.js'
import { Waiters } from './waiters.js'
import type { Witnessed, Witnesses } from './witness/witnesses.js'

/** What hosts can see, as finished bytes and texts. */
export interface Published {
  /** Position of the log's entry 0: `base + size` is where what is published ends. */
  readonly base: number
  readonly size: number
  /** The checkpoint's note with the cosignatures of its quorum and of the timestamper. */
  readonly note: string
  readonly status: Uint8Array
  /** Root of the revocation list, in base64. */
  readonly revocations: string
  /** Trust root notes by version, up to the one in force. */
  readonly rootNotes: ReadonlyMap<number, string>
}

/** Published before, by this process or by the one before it. */
export type Shown = Omit<Published, 'status' | 'revocations'> & { readonly tree: ProvenTree }

/** What the last publication heard of its witnesses; `at` in POSIX milliseconds, absent while none was asked. */
export interface Witnessing {
  readonly at?: number
  readonly failures: Witnessed['failures']
}

export interface PublisherOptions {
  readonly store: Store
  readonly hashes: LogHashes
  readonly keys: RegistryKeys
  readonly memory: RollbackMemory
  readonly witnesses: Witnesses
  readonly halt: Halt
  readonly log: Logger
  /** The committed head at the start. */
  readonly head: LogHead
  /** What is published already. */
  readonly shown: Shown | undefined
  /** POSIX milliseconds. */
  readonly now: () => number
  /** How long those who were given an index wait for the quorum. */
  readonly waitMs: number
  /** An unchanged tree is cosigned again at least this often; when absent, as the trust root in force promises. */
  readonly refreshSeconds?: number | undefined
  /** Looks at what other processes committed and published, and adopts it. Absent where nobody else writes. */
  readonly sync?: (() => Promise<void>) | undefined
}

/**
 * THE PUBLICATION LOOP: always the newest committed head, one at a time.
 * 1. its checkpoint is remembered outside the database;
 * 2. the witnesses of the trust root it names cosign it, or nothing changes and it is tried again;
 * 3. the timestamper says when; the snapshot is proved; the pointer is moved; hosts see it;
 * 4. whoever waits for a position below its end is told.
 * Beside it, and without any quorum: what a newer tree denies is shown as soon as it is committed and remembered.
 * Where several processes write, each publishes what it committed and adopts what others published; what nobody
 * publishes in time is published by whoever sees it first.
 */
export class Publisher {
  #head: LogHead
  #kept: LogHead
  #shown: Shown | undefined
  #published: Published | undefined
  #denials: ProvenTree | undefined
  #witnessing: Witnessing = { failures: [] }
  #isDue = false
  #isAgain = false
  #isRunning = false
  #isClosing = false
  #run: Promise<void> = Promise.resolve()
  #freshness: FreshnessLimits = FRESHNESS
  #failures = 0
  #denying: Promise<void> = Promise.resolve()
  readonly #timer = new PublicationTimer((next) => {
    if (next === 'again') this.refresh()
    else this.#makeDue()
  })
  readonly #watchers = new Set<() => void>()
  readonly #rootOf: ReturnType<typeof rootsInForce>
  readonly #waiters: Waiters
  readonly #options: PublisherOptions

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#rootOf = rootsInForce(options.store)
    this.#head = options.head
    this.#kept = options.head
    this.#waiters = new Waiters(options.waitMs)
    if (options.shown !== undefined) this.#show(options.shown)
    options.halt.onStop((cause) => {
      this.#timer.clear()
      this.#waiters.fail(notPublished(cause))
    })
  }

  /** Undefined until the first publication. */
  get current(): Published | undefined {
    return this.#published
  }

  /** The newest committed head. */
  get newest(): LogHead {
    return this.#head
  }

  /** What hosts are shown of it. */
  get shown(): Shown | undefined {
    return this.#shown
  }

  /** The newest committed head that the rollback file knows: its note may leave the process. */
  get committed(): LogHead {
    return this.#kept
  }

  get witnessing(): Witnessing {
    return this.#witnessing
  }

  /** Calls whenever something else is shown; what it returns ends it. */
  watch(onPublished: () => void): () => void {
    this.#watchers.add(onPublished)
    return () => void this.#watchers.delete(onPublished)
  }

  /** How many were given a position and not yet an answer. */
  get waiting(): number {
    return this.#waiters.size
  }

  /** Positions below are published. */
  get end(): number {
    return this.#shown === undefined ? this.#head.base : this.#shown.base + this.#shown.size
  }

  /**
   * Takes a head that was just committed here. Resolves when it is remembered; never rejects: what goes wrong stops
   * the log or is tried again. `isAgain` publishes it also when it is published already.
   */
  async offer(head: LogHead, isAgain = false): Promise<void> {
    this.#moveTo(head)
    this.#isAgain ||= isAgain
    this.#makeDue()
    try {
      await this.#keep(head)
    } catch (cause) {
      this.#fail(cause)
      return
    }
    this.#denying = this.#deny()
  }

  /**
   * Takes a head that another process committed, and what is published as the database said when `asOf` was shown
   * here. False when two publications of one tree came at once, and only the database can say which is the newer one.
   */
  async adopt(head: LogHead, published?: Shown, asOf: Shown | undefined = this.#shown): Promise<boolean> {
    this.#moveTo(head)
    await this.#keep(head)
    const before = this.#shown
    const isTaken = this.#take(published, asOf)
    if (this.#shown !== before) {
      this.#freshness = (await this.#rootOf(head)).freshness
      this.#plan(true)
    } else if (this.#isBehind() && (this.#timer.next ?? 'again') === 'again') this.#plan(true)
    await (this.#denying = this.#deny())
    return isTaken
  }

  /** Publishes the newest head now, also when it is published already: with new cosignatures. */
  refresh(): void {
    this.#isAgain = true
    this.#makeDue()
  }

  /** True when the position is published, false when the quorum is late; never before it is remembered. */
  async answer(position: number): Promise<boolean> {
    if (position < this.end) return true
    const { halt } = this.#options
    if (halt.error !== undefined) throw notPublished(halt.error)
    const isPublished = !this.#isClosing && (await this.#waiters.wait(position))
    if (!isPublished) await this.#keep(this.#head)
    return isPublished
  }

  /** When nothing is under way any more, or when those who wait would be told that the quorum is late. */
  async settled(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#options.waitMs).unref()
    })
    await Promise.race([this.#run, late])
    clearTimeout(timer)
  }

  /** Ends after what is under way; whoever still waits is told that the quorum is late. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#timer.clear()
    await this.#run
    await this.#denying
    this.#waiters.release()
  }

  #moveTo(head: LogHead): void {
    if (head.size > this.#head.size) this.#head = head
  }

  /** Once it is on disk outside the database, its note may leave the process. */
  async #keep(head: LogHead): Promise<void> {
    await this.#options.memory.remember(head)
    if (head.size > this.#kept.size) this.#kept = head
  }

  #makeDue(): void {
    if (this.#isOver()) return
    this.#timer.clear()
    this.#isDue = true
    if (!this.#isRunning) this.#run = this.#publishWhileDue()
  }

  async #publishWhileDue(): Promise<void> {
    this.#isRunning = true
    while (this.#isDue && this.#options.halt.error === undefined) {
      this.#isDue = false
      // Another process may have published it while it waited for its turn.
      if (!this.#isAgain && !this.#isBehind()) {
        this.#failures = 0
        continue
      }
      const isPublished = await this.#publish(this.#head).catch((cause: unknown) => this.#fail(cause))
      this.#failures = isPublished ? 0 : this.#failures + 1
      if (isPublished) this.#isAgain = false
      // What was published may be what a newer tree denies.
      await this.#deny()
      // A quorum that is late now is late for what came meanwhile, too: nobody who stops waits for it twice.
      if (this.#isClosing && !isPublished) break
    }
    this.#isRunning = false
    this.#plan()
  }

  #isBehind(): boolean {
    return this.#shown === undefined || this.#shown.size < this.#head.size
  }

  /** Sets the one timer, by what there is to do next. */
  #plan(isAdopted = false): void {
    if (this.#isOver() || this.#isRunning) return
    const { refreshSeconds } = this.#options
    const isBehind = this.#isBehind()
    if (isAdopted && !isBehind) this.#isAgain = false
    const refreshMs = refreshSeconds === undefined ? promisedMs(this.#freshness) : refreshSeconds * 1000
    const ageMs = (): number => this.#ageMs()
    this.#timer.set(planNext({ failures: this.#failures, isBehind, isAdopted, refreshMs, ageMs }))
  }

  #ageMs(): number {
    const { keys, now } = this.#options
    const made = this.#shown && madeAt(this.#shown.note, keys)
    return made === undefined ? 0 : Math.max(0, now() - made)
  }

  #isOver(): boolean {
    return this.#isClosing || this.#options.halt.error !== undefined
  }

  async #publish(head: LogHead): Promise<boolean> {
    const { store, hashes, keys, halt, now, sync } = this.#options
    const known = this.#shown
    await this.#keep(head)
    const witnessed = await this.#cosign(head)
    if (!witnessed.isQuorum) return this.#isPublishedElsewhere(head, known)
    const rootNotes = await readRootNotes(store, head, this.#shown?.rootNotes)
    const proven = await proveTree(hashes.active, head)
    this.#freshness = (await this.#rootOf(head)).freshness
    // Witnesses take their time: meanwhile the log may have been stopped.
    if (halt.error !== undefined) return false
    const note = cosigned(head.note, witnessed.lines, keys, now())
    const before = this.#shown
    // Where others publish as well, this tree may have been published by them since: with younger cosignatures.
    const isNewest = await store.publishCheckpoint(head.size, note, sync && (known?.note ?? ''))
    // When somebody else published at the same time, the database says what came last.
    if (!isNewest || this.#shown !== before) return this.#isPublishedElsewhere(head, known, isNewest)
    this.#show({ base: head.base, size: head.size, note, rootNotes, tree: { ...proven, note } })
    return true
  }

  /** What others published meanwhile is adopted: this tree or a larger one, when that is all the witnesses know. */
  async #isPublishedElsewhere({ size }: LogHead, known: Shown | undefined, isOurs = true): Promise<boolean> {
    const { sync } = this.#options
    if (sync !== undefined) await sync()
    else if (!isOurs) {
      throw new LedgerFatal('state-invalid', 'a newer checkpoint than the newest is published')
    }
    return this.#shown !== undefined && this.#shown !== known && this.#shown.size >= size
  }

  async #cosign(head: LogHead): Promise<Witnessed> {
    const { witnesses, log, now } = this.#options
    const { quorum } = await this.#rootOf(head)
    const { size, root, note } = head
    const witnessed = await witnesses.cosign({ size, root, note }, quorum)
    const { isQuorum, failures } = witnessed
    if (!quorum.isNone) this.#witnessing = { at: now(), failures }
    if (!isQuorum) log.warn({ size, failures }, 'the witnesses have not cosigned: nothing new is published')
    return witnessed
  }

  /** What the log denies before any quorum has seen it. A tree that denies nothing more takes it back. */
  async #deny(): Promise<void> {
    const head = this.#kept
    const { hashes, log } = this.#options
    const revocations = head.snapshot?.event.revocations
    if (this.#shown === undefined || revocations === undefined) return
    try {
      const denies = isDenying({ size: head.size, revocations }, this.#shown.tree)
      if (denies && this.#denials?.size === head.size) return
      const denials = denies ? await proveTree(hashes.active, head) : undefined
      // While it was being proved, a newer tree may have come: that one says what is denied.
      if (head === this.#kept) this.#setDenials(denials)
    } catch (cause) {
      log.error({ err: cause }, 'what the log denies could not be shown; it is tried again')
    }
  }

  #setDenials(denials: ProvenTree | undefined): void {
    if (this.#denials === denials) return
    this.#denials = denials
    if (this.#shown !== undefined) this.#show(this.#shown)
  }

  #take(published: Shown | undefined, asOf: Shown | undefined): boolean {
    const shown = this.#shown
    if (published === undefined || published.note === shown?.note) return true
    if (shown !== undefined && published.size < shown.size) {
      // The database has lost a publication, and not the log: it is told again.
      if (shown === asOf) this.refresh()
      return true
    }
    if (shown !== undefined && published.size === shown.size && shown !== asOf) return false
    this.#show(published)
    return true
  }

  #show(shown: Shown): void {
    const { base, size, note, rootNotes, tree } = shown
    const status = statusOf(this.#options.keys.identity, tree, this.#denials)
    this.#shown = shown
    this.#published = { base, size, note, rootNotes, status, revocations: tree.revocations }
    this.#waiters.publish(base + size)
    for (const onPublished of this.#watchers) onPublished()
  }

  #fail(cause: unknown): false {
    const { halt, log } = this.#options
    if (cause instanceof LedgerFatal) halt.stop(cause)
    else log.error({ err: cause }, 'a publication failed; it is tried again')
    return false
  }
}

function notPublished(cause: LedgerFatal): LedgerFatal {
  return new LedgerFatal('not-published', 'logged, but not published yet', {}, { cause })
}
