/** What two samples of times say about whether they come from the same work. */
export interface Difference {
  /** Of the means, in the unit of the samples. */
  readonly mean: number
  /** Of Welch's test. */
  readonly t: number
}

/** Of both samples together, what is above this part is left out: a machine that was busy elsewhere. */
const KEPT = 0.95

/** The difference of two samples after the crop. */
export function difference(one: readonly number[], other: readonly number[]): Difference {
  const limit = quantile([...one, ...other], KEPT)
  const kept = [one, other].map((times) => times.filter((time) => time <= limit))
  const [first, second] = kept.map(moments)
  if (first === undefined || second === undefined || first.count < 2 || second.count < 2)
    return { mean: Number.POSITIVE_INFINITY, t: Number.POSITIVE_INFINITY }
  const mean = first.mean - second.mean
  const error = Math.sqrt(first.variance / first.count + second.variance / second.count)
  return { mean, t: error === 0 ? (mean === 0 ? 0 : Number.POSITIVE_INFINITY) : mean / error }
}

export function quantile(times: readonly number[], part: number): number {
  const sorted = [...times].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN
}

function moments(times: readonly number[]) {
  const count = times.length
  const mean = times.reduce((sum, time) => sum + time, 0) / count
  const variance = times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (count - 1)
  return { count, mean, variance }
}
