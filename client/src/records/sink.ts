/** Where lines end up. A port: a file, a file descriptor, and in tests whatever is slow, full or broken. */
export interface LineSink {
  /**
   * Appends whole lines, all in one write.
   * @returns how many of them, from the first on, stand there now
   * @throws an error of the system; none of them stands there then
   */
  append(lines: readonly string[]): Promise<number>
  close(): Promise<void>
}

/** Writes so many bytes as the system takes in one write, and says how many. */
export type WriteOnce = (bytes: Uint8Array) => Promise<number>

/**
 * Appends lines by single writes. A disk that fills up may take a part of a line: what comes next then begins a line of
 * its own, and the part stays as one that nobody can parse.
 */
export class LineAppender {
  #isTorn = false

  /** @param isTorn whether a piece of somebody else's line stands at the end */
  async append(lines: readonly string[], write: WriteOnce, isTorn = false): Promise<number> {
    const start = this.#isTorn || isTorn ? '\n' : ''
    const bytes = Buffer.from(start + lines.join(''))
    const written = await write(bytes)
    if (written > 0) this.#isTorn = bytes[written - 1] !== 0x0a
    return completeLines(lines, written - start.length)
  }
}

function completeLines(lines: readonly string[], bytes: number): number {
  let [count, room] = [0, bytes]
  for (const line of lines) {
    room -= Buffer.byteLength(line)
    if (room < 0) break
    count++
  }
  return count
}
