const round = (number) => (number === null ? null : Number(number.toPrecision(4)))

/** One figure, as a line of JSON on standard output. `ratio`: the value as a multiple of its rival's. */
export function report(bench, value, unit, against = null, againstValue = null) {
  const figure = {
    bench,
    value: round(value),
    unit,
    against: againstValue === null ? null : against,
    againstValue: round(againstValue),
    ratio: againstValue === null ? null : round(value / againstValue),
  }
  process.stdout.write(`${JSON.stringify(figure)}\n`)
}

/** Between 0 and 1. `values` in any order. */
export function quantile(values, share) {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}
