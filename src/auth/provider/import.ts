import type { Logger } from 'pino'

export type ProviderModule = typeof import('oidc-provider')

/**
 * The module prints a warning on Node 20 as it loads, though its tests and ours pass there: it belongs into
 * the log.
 */
export async function importProvider(log: Logger): Promise<ProviderModule> {
  /* eslint-disable no-console -- the module has no other way to be told where its words go */
  const { warn } = console
  console.warn = (...words: unknown[]) => {
    if (typeof words[0] === 'string' && words[0].includes('oidc-provider')) log.debug(words[0])
    else warn(...words)
  }
  try {
    return await import('oidc-provider')
  } finally {
    console.warn = warn
    /* eslint-enable no-console */
  }
}
