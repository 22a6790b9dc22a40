// Checks a second of a library alone, in a loop on every core. The module of `check` is a text, because each core has a
// process of its own.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

/** @param check statements that define `check()`, which does one check and may return a promise */
export async function checksOnAllCores(check, seconds, cores = availableParallelism()) {
  const program = `${check}
    for (let warm = 0; warm < 3; warm++) await check()
    const started = performance.now()
    let checks = 0
    while (performance.now() - started < ${seconds * 1_000}) {
      await check()
      checks++
    }
    process.stdout.write(String((1000 * checks) / (performance.now() - started)))`
  const rates = await Promise.all(Array.from({ length: cores }, () => numberSaidBy(program)))
  return rates.reduce((sum, rate) => sum + rate, 0)
}

function numberSaidBy(program) {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  return new Promise((done, failed) => {
    child.once('close', (code) => (code === 0 ? done(Number(said)) : failed(new Error('a loop did not end'))))
  })
}
