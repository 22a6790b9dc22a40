import { escaped } from '../html.ts'
import type { Effect, Problem, Report } from './check.ts'

export interface PageFacts {
  /** ISO 8601. */
  readonly asOf: string
  /** As its makers write it; null: none. */
  readonly target: string | null
}

/** One page that needs nothing else: no script, no font, no address. It holds ids of users and no other value of theirs. */
export function pageOf(report: Report, { asOf, target }: PageFacts): string {
  const errors = report.problems.filter(({ severity }) => severity === 'error')
  const warnings = report.problems.filter(({ severity }) => severity === 'warning')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Carryover: what is to be put right before users are brought</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>What is to be put right before users are brought</h1>
<p class="when">as of ${escaped(asOf)}${target === null ? ', without a target' : `, for ${escaped(target)}`}</p>
<ul class="sums">
${sum('users', report.users, '')}${sum('clean', report.clean, 'good')}${sum('only warnings', report.onlyWarnings, 'warn')}${sum('with errors', report.withErrors, 'bad')}${sum('left out by rules', report.leftOut, '')}</ul>
${section('Errors', errors)}
${section('Warnings', warnings)}
${effects(report.effects)}
</main>
</body>
</html>
`
}

const STYLE = `
:root { color-scheme: light dark; --good: #2f7d4f; --warn: #9a6a00; --bad: #b3372f; --line: #8885; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } .when { margin-top: 0; opacity: .7; }
.sums { list-style: none; display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; padding: 0; }
.sums b { display: block; font-size: 1.6rem; font-variant-numeric: tabular-nums; }
.good b { color: var(--good); } .warn b { color: var(--warn); } .bad b { color: var(--bad); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; } .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: 13px/1.4 ui-monospace, monospace; }
@media print { main { max-width: none; margin: 0; } .scroll { overflow: visible; } tr { break-inside: avoid; } }
`

function sum(name: string, users: number, tone: string): string {
  return `<li class="${tone}"><b>${whole(users)}</b>${escaped(name)}</li>\n`
}

function section(title: string, problems: readonly Problem[]): string {
  if (problems.length === 0) return `<section>\n<h2>${title}</h2>\n<p>none</p>\n</section>`
  return `<section>\n<h2>${title}</h2>\n${table(
    ['users', 'problem', 'field', 'what it means', 'for example, by id', 'rule that would help'],
    problems.map((one) => [
      whole(one.count),
      code(one.code),
      code(placeOf(one)),
      escaped(one.says) + schemes(one),
      one.examples.map(code).join(', '),
      one.suggestion === null ? '' : code(one.suggestion.name),
    ]),
  )}</section>`
}

function schemes({ schemes: by }: Problem): string {
  if (by === undefined) return ''
  const sorted = Object.entries(by).sort(([, one], [, other]) => other - one)
  return `: ${sorted.map(([scheme, users]) => `${code(scheme)} ${whole(users)}`).join(', ')}`
}

function effects(all: readonly Effect[]): string {
  if (all.length === 0) return ''
  return `<section>\n<h2>Rules in force</h2>\n${table(
    ['changed', 'left out', 'rule', 'for example, by id'],
    all.map((one) => [
      whole(one.changed),
      whole(one.leftOut),
      code(one.rule),
      one.examples.map(code).join(', '),
    ]),
  )}</section>`
}

/** Cells are HTML already. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[]) =>
    row.map((cell, at) => `<td${at === 0 ? ' class="number"' : ''}>${cell}</td>`).join('')
  const heads = head.map((name, at) => `<th${at === 0 ? ' class="number"' : ''}>${name}</th>`).join('')
  return `<div class="scroll"><table>\n<tr>${heads}</tr>\n${rows.map((row) => `<tr>${cells(row)}</tr>\n`).join('')}</table></div>\n`
}

/** Field and attribute, as far as there are such: `email → userName`. */
export function placeOf({ field, attribute }: Pick<Problem, 'field' | 'attribute'>): string {
  return [field, attribute].filter((name) => name !== null).join(' → ')
}

function code(text: string): string {
  return text === '' ? '' : `<code>${escaped(text.replace(/\p{C}/gu, '?'))}</code>`
}

/** 1234567 as 1,234,567. */
export function whole(count: number): string {
  return count.toLocaleString('en-US')
}
