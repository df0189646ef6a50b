/**
 * A raw JSON-RPC server over stdio that says exactly what its script tells it to. A process of its own: its arguments
 * are the file of its script, that of its log, and the era it speaks.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { ScriptRun, type HostileScript, type ScriptedRequest } from './hostile-script.js'

function main(scriptFile: string, logFile: string, era: string | undefined): void {
  const script = JSON.parse(readFileSync(scriptFile, 'utf8')) as HostileScript
  const run = new ScriptRun(script, era === 'modern' ? 'modern' : 'legacy')
  appendFileSync(logFile, '{"method":"#started"}\n')
  createInterface({ input: process.stdin }).on('line', (line) => {
    appendFileSync(logFile, `${line}\n`)
    for (const text of run.answer(JSON.parse(line) as ScriptedRequest)) process.stdout.write(`${text}\n`)
  })
}

main(String(process.argv[2]), String(process.argv[3]), process.argv[4])
