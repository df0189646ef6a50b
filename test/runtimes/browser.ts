import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'

/** The browser that is installed, or undefined (said loudly); none is ever downloaded. */
export function chromiumPath(): string | undefined {
  const path = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
  if (existsSync(path)) return path
  console.warn(`SKIPPING TESTS: no Chromium at ${path}; CHROMIUM_PATH names another`)
  return undefined
}

export async function openChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    headless: true,
    timeout: 120_000,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
