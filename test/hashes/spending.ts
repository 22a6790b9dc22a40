import { getHeapStatistics } from 'node:v8'

export interface Spent {
  readonly millis: number
  readonly bytes: number
}

/** A collection of garbage, or another process, may fall into one measurement; hardly into each of so many. */
const REPEATS = 8

/** Keeps what the dearest piece of work took, and throws at the first that takes more than it may. */
export function createBudget(most: Spent) {
  const dearest = { millis: 0, bytes: 0 }

  async function spend<Result>(work: () => Result | Promise<Result>, name: string): Promise<Result> {
    const { result, ...first } = await spentBy(work)
    const { millis, bytes } = isWithin(first, most) ? first : await leastSpentBy(work, first)
    if (millis > most.millis) throw new Error(`${name} took ${millis.toFixed(1)} ms`)
    if (bytes > most.bytes) throw new Error(`${name} took ${bytes} bytes`)
    dearest.millis = Math.max(dearest.millis, millis)
    dearest.bytes = Math.max(dearest.bytes, bytes)
    return result
  }

  return { spend, dearest: dearest as Spent }
}

/** The memory that a collection gave back is more than what the work took: nothing is known of it then. */
function isWithin({ millis, bytes }: Spent, most: Spent): boolean {
  return millis <= most.millis && bytes >= 0 && bytes <= most.bytes
}

/** The best of each, and of memory the best that is known. */
async function leastSpentBy(work: () => unknown, first: Spent): Promise<Spent> {
  const all = [first]
  for (let time = 0; time < REPEATS; time += 1) all.push(await spentBy(work))
  const known = all.map(({ bytes }) => bytes).filter((bytes) => bytes >= 0)
  return {
    millis: Math.min(...all.map(({ millis }) => millis)),
    bytes: known.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...known),
  }
}

async function spentBy<Result>(work: () => Result | Promise<Result>): Promise<Spent & { result: Result }> {
  const before = allocated()
  const started = performance.now()
  const made = work()
  const result = made instanceof Promise ? await made : made
  const millis = performance.now() - started
  return { result, millis, bytes: allocated() - before }
}

function allocated(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}
