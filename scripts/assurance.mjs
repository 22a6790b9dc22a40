// Runs test/assurance in the sizes of the report and writes docs/assurance: what each requirement wanted and got.
// Usage: npm run assurance [-- PART...]   e.g. npm run assurance -- timing kill
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'

const scratch = mkdtempSync(join(tmpdir(), 'carryover-assurance-'))
const lines = join(scratch, 'lines.jsonl')
const results = join(scratch, 'results.json')
const parts = process.argv.slice(2)
const started = Date.now()
const { status } = spawnSync(
  'npx',
  [
    'vitest',
    'run',
    // One file at a time: they measure times.
    '--no-file-parallelism',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${results}`,
    ...(parts.length === 0 ? ['test/assurance'] : parts.map((part) => `test/assurance/${part}`)),
  ],
  { stdio: 'inherit', env: { ...process.env, ASSURANCE: 'thorough', ASSURANCE_FILE: lines } },
)
const minutes = ((Date.now() - started) / 60_000).toFixed(1)
const measurements = existsSync(lines)
  ? readFileSync(lines, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  : []
const tests = JSON.parse(readFileSync(results, 'utf8'))
rmSync(scratch, { recursive: true })

const run = {
  date: new Date().toISOString().slice(0, 10),
  commit: execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { encoding: 'utf8' }).trim(),
  node: process.version,
  machine: `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB`,
  minutes,
  passed: tests.numPassedTests,
  failed: tests.numFailedTests,
  skipped: tests.numPendingTests,
}
const failures = tests.testResults.flatMap(({ assertionResults }) =>
  assertionResults.filter((test) => test.status === 'failed').map((test) => test.fullName),
)

const directory = 'docs/assurance'
mkdirSync(directory, { recursive: true })
const seen = [...new Set(measurements.map(({ part }) => part))]
for (const part of seen) {
  const rows = measurements.filter((line) => line.part === part)
  writeFileSync(
    join(directory, `${part}.json`),
    `${JSON.stringify({ ...run, part, measurements: rows }, null, 2)}\n`,
  )
  writeFileSync(join(directory, `${part}.md`), page(part, rows))
}
if (parts.length === 0) writeFileSync(join(directory, 'report.md'), report())
process.exitCode = status ?? 1

function page(part, rows) {
  return `# Last run: ${part}

Written by \`npm run assurance\`; the tests are \`test/assurance/${part}*.test.ts\`. ${run.date}, commit ${run.commit}, Node ${run.node}, ${run.machine}.

${table(rows)}
`
}

function table(rows) {
  const cells = rows.map(
    ({ requirement, what, wanted, got }) => `| ${requirement} | ${what} | ${wanted} | ${got} |`,
  )
  return ['| requirement | what | wanted | got |', '| --- | --- | --- | --- |', ...cells].join('\n')
}

function report() {
  return `# The last full run

Written by \`npm run assurance\`, which runs everything again. ${run.date}, commit ${run.commit}, Node ${run.node}, ${run.machine}.
${run.minutes} minutes: ${run.passed} tests passed, ${run.failed} failed, ${run.skipped} were left out.
${failures.length === 0 ? '' : `\nFailed:\n\n${failures.map((name) => `- ${name}`).join('\n')}\n`}
${seen.map((part) => `- [${part}](${part}.md): ${measurements.filter((line) => line.part === part).length} measurements`).join('\n')}
`
}
