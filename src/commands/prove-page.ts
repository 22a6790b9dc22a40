import { escaped } from '../html.ts'
import { boundText, type GradedProof, type GradedRow, observedText, probedText } from './grades.ts'

/** One page without scripts and without anything from elsewhere. */
export function provePage({ asOf, users, uncovered, unlisted, rows }: GradedProof): string {
  const strays =
    unlisted > 0 ? ` ${unlisted} of them are in the copy and not in the ledger: run carryover sync.` : ''
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Carryover: what is proved</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1a1a1a }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: right; vertical-align: top }
th:nth-child(-n+2), td:nth-child(-n+2), th:last-child, td:last-child { text-align: left; overflow-wrap: anywhere }
.bar { display: block; height: .4rem; background: #ddd; min-width: 5rem }
.bar i { display: block; height: 100%; background: #2a6f4e }
.none { color: #a11 }
</style>
</head>
<body>
<h1>What is proved</h1>
<p>As of ${escaped(asOf)}. ${uncovered} of ${users} users are covered by no grade.${strays}</p>
<table>
<thead><tr><th>cohort</th><th>scheme</th><th>users</th><th>read</th><th>probed</th><th>observed</th><th>may be wrong</th><th>only refused</th><th>grade</th></tr></thead>
<tbody>
${rows.map(line).join('\n')}
</tbody>
</table>
<h2>What the grades mean</h2>
<p><b>Read</b>: the stored hash is well-formed and affordable. It says nothing about whether the scheme is the right one.
<b>Probed</b>: accounts with known passwords have matched when they were probed last. It says that the scheme is right for
those accounts. <b>Observed</b>: first sign-ins have matched and none failed for a reason of ours; with 95 % confidence no more
than the given share of users like those who have signed in can be wrong. <b>Only refused</b>: users who have signed in and never
matched: a wrong password, or a wrong scheme.</p>
</body>
</html>
`
}

function line(row: GradedRow): string {
  const share = row.users === 0 ? 0 : (100 * row.read) / row.users
  const cells = [
    escaped(row.cohort),
    escaped(row.scheme),
    String(row.users),
    `${row.read}<span class="bar"><i style="width:${share.toFixed(1)}%"></i></span>`,
    escaped(probedText(row)),
    escaped(observedText(row)),
    escaped(boundText(row.upperBound)),
    String(row.refusedOnly),
    row.grade === 'none' ? '<span class="none">none</span>' : row.grade,
  ]
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
}
