import { escaped } from '../html.ts'
import type { Report } from './report.ts'
import {
  costRows,
  defectRows,
  groupRows,
  lateSentence,
  probableRows,
  readSentence,
  sharedSentence,
  toldSentence,
  weakRows,
} from './tables.ts'
import { capacitySentence, costName, figure, percent, printable, whole } from './words.ts'

/** A chart of costs or cohorts is for looking at: the rest stands in the table. */
const MOST_BARS = 20

/** One page that needs nothing else: no script, no font, no address. Texts of rows are escaped. */
export function pageOf(report: Report): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Carryover: what the copy holds</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>What the copy holds</h1>
<p class="when">as of ${escaped(report.asOf)}</p>
<p>${escaped(readSentence(report))}.<br>${escaped(lateSentence(report))}.<br>${escaped(sharedSentence(report))}.<br>${escaped(toldSentence(report))}.</p>
${section('By cohort', cohortBars(report), '')}
${report.unread === 0 ? '' : section('Rows that are not read', defectBars(report), table(defectRows(report), [1]))}
${report.told.probable === undefined ? '' : section('Told only probably: hash_scheme would make sure', '', table(probableRows(report), [2]))}
${section(`By cost: ${capacitySentence(report)}`, costBars(report), table(costRows(report), [1, 2, 3, 4]))}
${report.weaknesses.length === 0 ? '' : section('Weak stores', weakBars(report), table(weakRows(report), [1]))}
${section('By cohort and scheme', '', table(groupRows(report), [3, 4, 5, 6, 7, 8, 9, 10]))}
</main>
</body>
</html>
`
}

const STYLE = `
:root { color-scheme: light dark; --good: #2f7d4f; --bad: #b3372f; --plain: #4a6fa5; --track: #8883; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } .when { margin-top: 0; opacity: .7; }
.bar { display: grid; grid-template-columns: 16rem 1fr 17rem; gap: .75rem; align-items: center; margin: .2rem 0; }
.name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.track { display: flex; height: 1rem; background: var(--track); border-radius: 2px; overflow: hidden; }
.track > span { flex: none; min-width: 2px; } .good { background: var(--good); } .bad { background: var(--bad); } .plain { background: var(--plain); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin-top: .75rem; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--track); vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
`

function section(title: string, bars: string, below: string): string {
  return `<section>\n<h2>${escaped(title)}</h2>\n${bars}${below}</section>`
}

interface Bar {
  readonly name: string
  readonly parts: readonly { readonly colour: 'good' | 'bad' | 'plain'; readonly rows: number }[]
  readonly words: string
}

/** All bars on one scale. `full`: the rows that fill the line; by default those of the longest bar. */
function chart(bars: readonly Bar[], full = Math.max(1, ...bars.map(lengthOf))): string {
  const lines = bars.slice(0, MOST_BARS).map((bar) => {
    const parts = bar.parts
      .filter(({ rows }) => rows > 0)
      .map(
        ({ colour, rows }) =>
          `<span class="${colour}" style="width:${((100 * rows) / full).toFixed(2)}%"></span>`,
      )
    const name = escaped(bar.name)
    return `<div class="bar"><span class="name" title="${name}">${name}</span><span class="track">${parts.join('')}</span><span>${escaped(bar.words)}</span></div>\n`
  })
  const more = bars.length - lines.length
  return lines.join('') + (more > 0 ? `<p>and ${whole(more)} more, in the table</p>\n` : '')
}

function lengthOf({ parts }: Bar): number {
  return parts.reduce((sum, { rows }) => sum + rows, 0)
}

function cohortBars({ groups }: Report): string {
  const cohorts = new Map<string, { read: number; unread: number }>()
  for (const { cohort, read, unread } of groups) {
    const known = cohorts.get(cohort) ?? { read: 0, unread: 0 }
    cohorts.set(cohort, { read: known.read + read, unread: known.unread + unread })
  }
  const sorted = [...cohorts].sort(([, one], [, other]) => other.read + other.unread - one.read - one.unread)
  return chart(
    sorted.map(([cohort, { read, unread }]) => ({
      name: printable(cohort),
      parts: [
        { colour: 'good', rows: read },
        { colour: 'bad', rows: unread },
      ],
      words: `${whole(read)} read (${percent(read, read + unread)}), ${whole(unread)} not`,
    })),
  )
}

function defectBars({ defects, unread }: Report): string {
  const sorted = Object.entries(defects).sort(([, one], [, other]) => other - one)
  return chart(
    sorted.map(([defect, rows]) => ({
      name: defect,
      parts: [{ colour: 'bad' as const, rows }],
      words: `${whole(rows)} (${percent(rows, unread)})`,
    })),
    unread,
  )
}

function costBars({ costs }: Report): string {
  return chart(
    costs.map((cost) => ({
      name: costName(cost),
      parts: [{ colour: cost.late || cost.failure !== null ? 'bad' : 'good', rows: cost.rows }],
      words:
        cost.failure === null
          ? `${figure(cost.p50)} ms a check, ${figure(cost.perSecond)} a second`
          : 'not possible on this machine',
    })),
  )
}

function weakBars({ weaknesses, rows }: Report): string {
  return chart(
    weaknesses.map((weak) => ({
      name: weak.weakness,
      parts: [{ colour: 'plain' as const, rows: weak.rows }],
      words: `${whole(weak.rows)} (${percent(weak.rows, rows)} of all)`,
    })),
    rows,
  )
}

/** `numbers`: the columns that are aligned to the right. */
function table([head = [], ...rows]: readonly (readonly string[])[], numbers: readonly number[]): string {
  const line = (cells: readonly string[], tag: 'th' | 'td') =>
    `<tr>${cells
      .map((cell, at) => `<${tag}${numbers.includes(at) ? ' class="number"' : ''}>${escaped(cell)}</${tag}>`)
      .join('')}</tr>\n`
  return `<div class="scroll"><table>\n${line(head, 'th')}${rows.map((row) => line(row, 'td')).join('')}</table></div>\n`
}
