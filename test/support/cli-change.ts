import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/**
 * Stands between a host and a real server and changes one character of one tool's description.
 * Arguments: the tool's name, then the server's command line.
 */
const [tool = '', command = '', ...args] = process.argv.slice(2)
const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
process.stdin.pipe(child.stdin)
child.on('exit', (code) => process.exit(code ?? 0))

interface Frame {
  result?: { tools?: { name: string; description: string }[] }
}

createInterface({ input: child.stdout }).on('line', (line) => {
  const frame = JSON.parse(line) as Frame
  const target = frame.result?.tools?.find((one) => one.name === tool)
  if (target !== undefined) target.description = `${target.description.slice(0, -1)}!`
  process.stdout.write(`${target === undefined ? line : JSON.stringify(frame)}\n`)
})
