// Puts the figures of a run into docs/performance.md: `npm run bench > figures.jsonl && node bench/page.mjs < figures.jsonl`.
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url))
const figures = (await text(process.stdin))
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))

const cell = (value) => (value === null ? '' : String(value))
const rows = figures
  .filter(({ bench }) => !bench.startsWith('one core: '))
  .map(
    ({ bench, value, unit, against, againstValue, ratio }) =>
      `| ${[bench, `${value} ${unit}`, cell(against), cell(againstValue), cell(ratio)].join(' | ')} |`,
  )
const machine = `${availableParallelism()} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`
const table = [
  `Machine: ${machine}. PostgreSQL and the callers ran on the same machine.`,
  '',
  '| figure | value | against | its value | ratio |',
  '| --- | --- | --- | --- | --- |',
  ...rows,
].join('\n')

/** First sign-ins an hour of one core of which 60 % are used. */
const perHour = (checks) => (Math.round((checks * 3_600 * 0.6) / 1_000) * 1_000).toLocaleString('en')
const sizing = [
  '| scheme | checks a second | first sign-ins an hour at 60 % |',
  '| --- | --- | --- |',
  ...figures
    .filter(({ bench }) => bench.startsWith('one core: '))
    .map(({ bench, value }) => `| ${bench.slice(10)} | ${value} | ${perHour(value)} |`),
].join('\n')

let content = readFileSync(page, 'utf8')
for (const [name, text] of [
  ['figures', table],
  ['sizing', sizing],
]) {
  const marked = new RegExp(`(<!-- ${name} -->\\n)[^]*(\\n<!-- end of ${name} -->)`)
  if (!marked.test(content)) throw new Error(`docs/performance.md has no place for the ${name}`)
  content = content.replace(marked, (_, start, end) => start + text + end)
}
writeFileSync(page, content)
