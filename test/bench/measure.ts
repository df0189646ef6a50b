/** One line of a benchmark, in the shape that scripts read. */
export interface Row {
  readonly bench: string
  readonly row: string
  readonly value: number
  readonly unit: 'ms' | 'KiB' | 'steps' | '/s'
  /** What the value is divided by, in the same unit. */
  readonly against: number
  readonly ratio: number
  /** The largest ratio that passes, or the smallest; a row without one is for information. */
  readonly target?: number
  /** More is better. */
  readonly atLeast?: true
  readonly pass: boolean
}

export interface Measure {
  readonly value: number
  readonly against: number
}

/** A row; `limit` caps the value itself where a ratio is not all that is asked. */
export function rowOf(
  name: Pick<Row, 'bench' | 'row' | 'unit' | 'target' | 'atLeast'>,
  { value, against }: Measure,
  limit = Number.POSITIVE_INFINITY,
): Row {
  const { bench, row, unit, target, atLeast } = name
  const ratio = value / against
  const pass = meets(ratio, target, atLeast) && value <= limit
  return {
    bench,
    row,
    value: rounded(value),
    unit,
    against: rounded(against),
    ratio: rounded(ratio),
    ...(target !== undefined && { target }),
    ...(atLeast === true && { atLeast }),
    pass,
  }
}

function meets(ratio: number, target: number | undefined, atLeast: true | undefined): boolean {
  if (target === undefined) return Number.isFinite(ratio)
  return atLeast === true ? ratio >= target : ratio <= target
}

function rounded(value: number): number {
  return Number(value.toPrecision(3))
}

/** What is timed, after something that is not: each run gets fresh input. */
export interface Subject<T = unknown> {
  readonly prepare: () => T | Promise<T>
  readonly run: (input: T) => unknown
}

export function subject<T>(prepare: Subject<T>['prepare'], run: Subject<T>['run']): Subject {
  return { prepare, run: (input) => run(input as T) }
}

/** Medians in ms of runs that take turns (A B A B …), after a warm-up that is thrown away. */
export async function medians(subjects: readonly Subject[], runs: number, warmup: number): Promise<number[]> {
  const times = subjects.map((): number[] => [])
  for (let i = -warmup; i < runs; i++) {
    for (const [n, one] of subjects.entries()) {
      const input = await one.prepare()
      const start = performance.now()
      await one.run(input)
      const ms = performance.now() - start
      if (i >= 0) times[n]?.push(ms)
    }
  }
  return times.map(medianOf)
}

export function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** A table for people, then one JSON line a row for scripts. */
export function formatRows(rows: readonly Row[]): string {
  const cells = rows.map(({ bench, row, value, unit, against, ratio, target, atLeast, pass }) => [
    `${bench} ${row}`,
    `${value} ${unit}`,
    `${against} ${unit}`,
    `${ratio}x`,
    target === undefined ? '-' : `${atLeast === true ? '>=' : '<='} ${target}x`,
    pass ? (target === undefined ? 'info' : 'pass') : 'FAIL',
  ])
  const table = [['what', 'value', 'against', 'ratio', 'target', ''], ...cells]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)))
  const lines = table.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  return `${[...lines, '', ...rows.map((row) => JSON.stringify(row))].join('\n')}\n`
}
