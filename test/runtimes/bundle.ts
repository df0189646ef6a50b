import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The verdicts with the core they need as one script that sets `globalThis.verdicts`; nothing of Node is resolved. */
export async function bundleVerdicts(): Promise<string> {
  const result = await build({
    stdin: {
      contents: "import { verdicts } from './verdicts.ts'\nglobalThis.verdicts = verdicts",
      resolveDir: here('.'),
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'silent',
  })
  return result.outputFiles[0]!.text
}
