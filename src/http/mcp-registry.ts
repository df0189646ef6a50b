import type { Router } from 'express'
import type { Context } from '../publishers/context.js'

export interface McpRegistryOptions {
  readonly context: Context
  readonly publicUrl: string
}

/** The MCP Registry's read API (`/v0.1`), for hosts that speak it already. */
export function addMcpRegistry(router: Router, options: McpRegistryOptions): void {
  void router
  void options
}
