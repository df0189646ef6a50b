// What runs inside a page. Each function stands alone: the browser gets its text and nothing around it.

/** As much of the DOM as is read there; the tests' own world has none. */
interface PageElement {
  readonly tagName: string
  readonly id: string
  readonly className: string
  readonly type?: string
  readonly name?: string
  readonly labels?: ArrayLike<PageElement> | null
  readonly textContent: string
  readonly parentElement: PageElement | null
  readonly childNodes: Iterable<{ readonly nodeType: number; readonly textContent: string | null }>
  readonly scrollWidth: number
  readonly style: { fontSize: string }
  querySelectorAll(selector: string): Iterable<PageElement>
}

interface Style {
  readonly backgroundColor: string
  readonly borderTopColor: string
  readonly color: string
  readonly fontSize: string
  readonly fontWeight: string
  readonly outlineStyle: string
  readonly outlineWidth: string
}

declare const document: {
  readonly activeElement: PageElement | null
  readonly body: PageElement
  readonly documentElement: PageElement
  readonly readyState: string
}
declare const innerWidth: number
declare function getComputedStyle(element: PageElement): Style

/** When this document began, or 0 while it is not whole. */
export function documentTime(): number {
  return document.readyState === 'complete' ? performance.timeOrigin : 0
}

export interface Focus {
  readonly id: string
  readonly className: string
  /** Of a field its label, else its words. */
  readonly name: string
  readonly isVisible: boolean
}

export function readFocus(): Focus {
  const element = document.activeElement
  if (element === null || element === document.body) {
    return { id: '', className: '', name: '(page)', isVisible: false }
  }
  const words = element.tagName === 'INPUT' ? element.labels?.[0]?.textContent : element.textContent
  const { outlineStyle, outlineWidth } = getComputedStyle(element)
  return {
    id: element.id,
    className: element.className,
    name: (words ?? '').replace(/\s+/g, ' ').trim(),
    isVisible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
  }
}

/** How many pixels stand out to the right, with letters of this size; the size is then as it was. */
export function overflowAt(fontSize: string): number {
  const { documentElement } = document
  documentElement.style.fontSize = fontSize
  const overflow = documentElement.scrollWidth - innerWidth
  documentElement.style.fontSize = ''
  return overflow
}

/** Texts below 4.5:1 (3:1 when large), edges of fields below 3:1 (WCAG 2.2, 1.4.3 and 1.4.11). */
export function findLowContrast(): string[] {
  type Color = readonly [red: number, green: number, blue: number, alpha: number]
  const parse = (text: string): Color => {
    const [r = 0, g = 0, b = 0, a = 1] = (text.match(/[\d.]+/g) ?? []).map(Number)
    return [r, g, b, a]
  }
  const groundOf = (element: PageElement | null): Color => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor)
      if (color[3] === 1) return color
    }
    return [255, 255, 255, 1]
  }
  const luminance = (color: Color): number => {
    const [r = 0, g = 0, b = 0] = color.slice(0, 3).map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ratio = (one: Color, two: Color): number => {
    const [low = 0, high = 0] = [luminance(one), luminance(two)].sort((a, b) => a - b)
    return (high + 0.05) / (low + 0.05)
  }
  const found: string[] = []
  for (const element of document.body.querySelectorAll('*')) {
    const style = getComputedStyle(element)
    const hasText = [...element.childNodes].some(
      ({ nodeType, textContent }) => nodeType === 3 && (textContent ?? '').trim() !== '',
    )
    const size = parseFloat(style.fontSize)
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
    const text = ratio(parse(style.color), groundOf(element))
    if (hasText && text < (isLarge ? 3 : 4.5)) found.push(`${element.tagName} text ${text.toFixed(2)}`)
    if (element.tagName === 'INPUT' && element.type !== 'hidden') {
      const edge = ratio(parse(style.borderTopColor), groundOf(element.parentElement))
      if (edge < 3) found.push(`${element.name} edge ${edge.toFixed(2)}`)
    }
  }
  return found
}
