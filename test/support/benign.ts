import type { JsonObject } from 'countersign/core'

/** Six honest tools, with most of what real ones have. */
export const BENIGN_TOOLS: readonly JsonObject[] = [
  {
    name: 'get_forecast',
    title: 'Weather forecast',
    description: 'Returns the forecast for a city.',
    inputSchema: {
      type: 'object',
      properties: {
        city: { type: 'string', description: 'Name of the city.' },
        days: { type: 'integer', minimum: 1, maximum: 14, default: 3 },
        units: { type: 'string', enum: ['metric', 'imperial'] },
      },
      required: ['city'],
      additionalProperties: false,
    },
    outputSchema: {
      type: 'object',
      properties: { summary: { type: 'string' } },
      required: ['summary'],
    },
    annotations: { title: 'Forecast', readOnlyHint: true, openWorldHint: true },
    icons: [{ src: 'data:image/svg+xml;base64,PHN2Zy8+', mimeType: 'image/svg+xml' }],
  },
  {
    name: 'search_notes',
    description: 'Finds notes that hold all the words.',
    inputSchema: {
      type: 'object',
      properties: {
        filters: {
          type: 'array',
          items: { type: 'object', properties: { field: { type: 'string' }, value: { type: 'string' } } },
        },
        range: { anyOf: [{ type: 'string', description: 'A day.' }, { type: 'null' }] },
        sort: { $ref: '#/$defs/order' },
      },
      patternProperties: { '^x-': { type: 'string' } },
      if: { properties: { sort: { const: 'date' } } },
      then: { required: ['range'] },
      $defs: { order: { type: 'string', enum: ['date', 'title'], description: 'Order of the results.' } },
      examples: [{ filters: [] }],
      $comment: 'Kept small.',
      title: 'SearchNotes',
    },
  },
  {
    name: 'delete_note',
    description: 'Deletes one note for good.',
    inputSchema: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
  },
  {
    name: 'make_instance',
    description: 'Makes an instance of a class.',
    inputSchema: {
      type: 'object',
      properties: { constructor: { type: 'string', description: 'Name of the class.' } },
      required: ['constructor'],
    },
  },
  {
    name: 'now',
    description: 'Tells the time.',
    inputSchema: { type: 'object' },
    _meta: { 'com.example/category': 'clock' },
  },
  {
    name: 'convert',
    description: 'Converts an amount of money.',
    inputSchema: {
      type: 'object',
      properties: { amount: { type: 'number', exclusiveMinimum: 0 }, to: { type: 'string' } },
      required: ['amount', 'to'],
    },
  },
]

export const BENIGN_INSTRUCTIONS = 'Ask for the city before you call get_forecast.'

export const BENIGN_PROMPTS: readonly JsonObject[] = [
  {
    name: 'plan_trip',
    description: 'Plans a trip by the weather.',
    arguments: [{ name: 'city', description: 'Where to.', required: true }],
  },
]

export function benignNames(): string[] {
  return BENIGN_TOOLS.map((tool) => tool['name'] as string)
}

/** A copy of the tools in which one of them is changed by hand. */
export function withTool(name: string, change: (tool: JsonObject) => void): JsonObject[] {
  const tools = structuredClone(BENIGN_TOOLS) as JsonObject[]
  const tool = tools.find((one) => one['name'] === name)
  if (tool === undefined) throw new Error(`no benign tool ${name}`)
  change(tool)
  return tools
}
