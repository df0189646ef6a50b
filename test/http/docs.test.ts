import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { chromiumPath, openChromium } from '../runtimes/browser.js'
import { startRegistry, type TestRegistry } from '../support/registry.js'

// The description as people see it: the real Chromium, scripts on, and no network but the registry itself.

const chromium = chromiumPath()

// The page is the same on each engine: one browser is enough.
describe.skipIf(chromium === undefined || process.env['TEST_ENGINE'] === 'postgres')(
  '/docs in a browser',
  () => {
    let at: TestRegistry
    let browser: Browser
    beforeAll(async () => {
      at = await startRegistry()
      browser = await openChromium(chromium ?? '')
    })
    afterAll(async () => {
      await browser.close()
      await at.close()
    })

    it('shows every operation, and asks nobody else for anything', async () => {
      const context = await browser.newContext()
      onTestFinished(() => context.close())
      context.setDefaultTimeout(120_000)
      const page = await context.newPage()
      const asked: string[] = []
      const said: string[] = []
      page.on('console', (message) => {
        if (message.type() === 'error') said.push(message.text())
      })
      page.on('pageerror', (error) => said.push(error.message))
      await context.route('**/*', async (route) => {
        const { origin, pathname } = new URL(route.request().url())
        asked.push(origin === at.url ? pathname : origin)
        if (origin === at.url) await route.continue()
        else await route.abort()
      })
      await page.goto(`${at.url}/docs`)
      await page.getByText('/v1/servers/{ns}/{name}/diff').first().waitFor()
      const document = (await (await fetch(`${at.url}/openapi.json`)).json()) as {
        paths: Record<string, Record<string, unknown>>
      }
      const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods))
      await expect.poll(() => page.locator('.opblock').count()).toBe(operations.length)
      expect(said).toEqual([])
      expect(asked.filter((where) => !where.startsWith('/'))).toEqual([])
      expect(asked).toContain('/openapi.json')
      await page.getByText('Publish a signed manifest').first().click()
      await page.locator('.opblock.is-open').first().waitFor()
      expect(said).toEqual([])
    })
  },
)
