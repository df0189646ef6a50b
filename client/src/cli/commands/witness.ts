import type { Command } from 'commander'
import type { Lazy } from './shared.js'

export function addWitness(program: Command, lazy: Lazy): void {
  void program
  void lazy
}
