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
const rows = figures.map(
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

const before = readFileSync(page, 'utf8')
const marked = /(<!-- figures -->\n)[\s\S]*(\n<!-- end of figures -->)/
if (!marked.test(before)) throw new Error('docs/performance.md has no place for the figures')
writeFileSync(
  page,
  before.replace(marked, (_, start, end) => start + table + end),
)
