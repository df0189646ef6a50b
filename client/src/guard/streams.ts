/** Members of the SDKs' send options by which a request of the 2026 era ends without an answer. */
interface StreamOptions {
  readonly requestSignal?: AbortSignal
  readonly onRequestStreamEnd?: () => void
}

/**
 * The options to send a request with. Over Streamable HTTP a request of the 2026 era is given up by its signal, and may lose
 * its stream without an answer; the guard hears of both. Everything else goes on by reference, and the object itself
 * when there is nothing to hear.
 *
 * @param onAbort the host gave the request up
 * @param onEnd its stream ended; true when the host is to hear of it
 */
export function watchStream(
  options: object | undefined,
  onAbort: () => void,
  onEnd: () => boolean,
): object | undefined {
  const { requestSignal, onRequestStreamEnd } = (options ?? {}) as StreamOptions
  if (requestSignal instanceof AbortSignal) requestSignal.addEventListener('abort', onAbort, { once: true })
  if (typeof onRequestStreamEnd !== 'function') return options
  return {
    ...options,
    onRequestStreamEnd: () => {
      if (onEnd()) onRequestStreamEnd()
    },
  }
}
