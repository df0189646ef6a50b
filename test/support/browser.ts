import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { documentTime, findLowContrast, overflowAt, readFocus } from './browser-page.js'

/** Where pictures of the pages go, for people to look at: most of the time of a run, so they are made when asked for. */
const SCREENSHOTS = process.env['COUNTERSIGN_SCREENSHOTS']

/** A person at a keyboard, in a browser that runs no script of any page. */
export interface Keyboard {
  readonly page: Page
  /** Tab until the field, button or link of this name has the focus. */
  tabTo(name: string): Promise<void>
  /** Tab to a field and type. */
  fill(label: string, text: string): Promise<void>
  /** Tab to a button or link and press Enter; resolves when the next page stands. */
  press(name: string): Promise<void>
  /** Enter, where the focus is. */
  enter(): Promise<void>
  close(): Promise<void>
}

export async function openKeyboard(browser: Browser): Promise<Keyboard> {
  const context: BrowserContext = await browser.newContext({
    javaScriptEnabled: false,
    viewport: { width: 760, height: 800 },
  })
  const page = await context.newPage()
  page.setDefaultTimeout(40_000)
  const tabTo = async (name: string): Promise<void> => {
    const passed: string[] = []
    for (let tabs = 0; tabs < 30; tabs++) {
      await page.keyboard.press('Tab')
      const focus = await page.evaluate(readFocus)
      if (focus.name === name) {
        if (!focus.isVisible) throw new Error(`the focus on ${name} cannot be seen`)
        return
      }
      passed.push(focus.name)
    }
    throw new Error(`no way by keyboard to ${name} at ${page.url()}: ${passed.join(' | ')}`)
  }
  const enter = async (): Promise<void> => {
    const before = await page.evaluate(documentTime)
    await page.keyboard.press('Enter')
    await hasMoved(page, before)
  }
  return {
    page,
    tabTo,
    enter,
    async fill(label, text) {
      await tabTo(label)
      await page.keyboard.press('Control+A')
      await page.keyboard.insertText(text)
    },
    async press(name) {
      await tabTo(name)
      await enter()
    },
    close: () => context.close(),
  }
}

/** Another document stands there, whole; asked from outside, since the page runs no script. */
async function hasMoved(page: Page, before: number): Promise<void> {
  for (let tries = 0; tries < 2400; tries++) {
    // Between two documents there is none to ask.
    const now = await page.evaluate(documentTime).catch(() => 0)
    if (now !== 0 && now !== before) return
    await page.waitForTimeout(25)
  }
  throw new Error(`nothing happened at ${page.url()}`)
}

/** What is wrong with a page for those who hear it, see it badly or have little room; empty when nothing is. */
export async function inspectPage(page: Page, name: string): Promise<string[]> {
  const found = await inspectTree(page)
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    const low = await page.evaluate(findLowContrast)
    found.push(...low.map((line) => `${colorScheme}: ${line}`))
    if (colorScheme === 'light') await shoot(page, `${name}-light`)
    else found.push(...(await inspectNarrow(page, name)))
  }
  await page.emulateMedia({ colorScheme: null })
  return found
}

async function shoot(page: Page, name: string): Promise<void> {
  if (SCREENSHOTS === undefined) return
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true })
}

/** 320 pixels, which is also 1280 at 400 %; then letters of twice the size. */
async function inspectNarrow(page: Page, name: string): Promise<string[]> {
  const size = page.viewportSize() ?? { width: 760, height: 800 }
  await page.setViewportSize({ width: 320, height: 640 })
  await shoot(page, `${name}-dark-narrow`)
  const found: string[] = []
  for (const zoom of ['100%', '200%']) {
    const overflow = await page.evaluate(overflowAt, zoom)
    if (overflow > 0) found.push(`at 320 pixels and ${zoom} it scrolls sideways by ${overflow}`)
  }
  await page.setViewportSize(size)
  return found
}

/** Of Chromium's accessibility tree. */
interface AxNode {
  readonly role?: { readonly value?: string }
  readonly name?: { readonly value?: string }
  readonly properties?: readonly { readonly name: string; readonly value: { readonly value?: unknown } }[]
  readonly description?: { readonly value?: string }
  readonly ignored: boolean
}

/** The tree that screen readers read: everything one can reach has a name, and wrong fields say why. */
async function inspectTree(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page)
  const { nodes } = (await session.send('Accessibility.getFullAXTree')) as { nodes: readonly AxNode[] }
  await session.detach()
  const seen = nodes.filter(({ ignored }) => !ignored)
  const withRole = (role: string): readonly AxNode[] => seen.filter((node) => node.role?.value === role)
  const found: string[] = []
  for (const role of ['textbox', 'button', 'link']) {
    for (const node of withRole(role))
      if ((node.name?.value ?? '') === '') found.push(`a ${role} without a name`)
  }
  for (const role of ['main', 'banner']) if (withRole(role).length !== 1) found.push(`not one ${role}`)
  const headings = withRole('heading').filter((node) => propertyOf(node, 'level') === 1)
  if (headings.length !== 1) found.push(`${headings.length} headings of the first level`)
  for (const node of withRole('textbox')) {
    const isInvalid = propertyOf(node, 'invalid') === 'true'
    if (isInvalid && (node.description?.value ?? '') === '')
      found.push(`${node.name?.value}: invalid, not said why`)
  }
  const title = await page.title()
  if (withRole('alert').length > 0 !== title.startsWith('Error: ') && withRole('textbox').length > 0) {
    found.push(`an alert, or a title that says error, without the other: ${title}`)
  }
  return found
}

function propertyOf({ properties = [] }: AxNode, name: string): unknown {
  return properties.find((property) => property.name === name)?.value.value
}
