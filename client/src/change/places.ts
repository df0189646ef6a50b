import { pointerOf, type Path } from '../gates/walk.js'

/** Where a value is written: the object or list that holds it, and the way from there. */
export interface Place {
  readonly doc: Doc
  readonly holder: object
  readonly tokens: Readonly<Path>
}

/**
 * One of the two documents, or a part of one: values in it are found again by identity, so that nothing carries a
 * path along while it compares, and what a reference leads to is named where it is written.
 */
export interface Doc {
  readonly isNew: boolean
  /** The way from the document's root to a value of this part, or undefined for a value that is not of it. */
  pathOf(place: Place): Path
}

/** The part of a document below `base`. The index of its objects is made when the first place is asked for. */
export function openDoc(root: object, base: Readonly<Path>, isNew: boolean): Doc {
  let parents: Map<object, { readonly parent: object; readonly token: string | number }> | undefined
  const pathOf = ({ holder, tokens }: Place): Path => {
    parents ??= indexOf(root)
    const way: Path = []
    for (let at = parents.get(holder); at !== undefined; at = parents.get(at.parent)) way.push(at.token)
    return [...base, ...way.reverse(), ...tokens]
  }
  return { isNew, pathOf }
}

/** A place named outright, in a document whose objects need no index. */
export function placeAt(isNew: boolean, tokens: Readonly<Path>): Place {
  const holder = {}
  return { doc: { isNew, pathOf: (place) => [...place.tokens] }, holder, tokens }
}

/** The same place, further in. */
export function below(place: Place, ...tokens: Path): Place {
  return { ...place, tokens: [...place.tokens, ...tokens] }
}

export function formatPlace(place: Place): string {
  return pointerOf(place.doc.pathOf(place))
}

function indexOf(root: object): Map<object, { parent: object; token: string | number }> {
  const parents = new Map<object, { parent: object; token: string | number }>()
  const visit = (holder: object): void => {
    const isList = Array.isArray(holder)
    for (const key of Object.keys(holder)) {
      const value = (holder as Readonly<Record<string, unknown>>)[key]
      if (typeof value !== 'object' || value === null || parents.has(value) || value === root) continue
      parents.set(value, { parent: holder, token: isList ? Number(key) : key })
      visit(value)
    }
  }
  visit(root)
  return parents
}
