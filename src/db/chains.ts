import { randomUUID } from 'node:crypto'

/** The newest link of one chain of the record: with it, whoever shortens the record can be shown to have done so. */
export interface Head {
  readonly run: string
  readonly lane: number
  /** How many outcomes the chain has. */
  readonly place: number
  /** SHA-256 in hexadecimal. */
  readonly link: string
}

/** The chains that one run of a process writes. */
export interface Chains {
  /** Lends a chain that no other statement uses meanwhile. `write` answers what the database said, with the new head. */
  append<Result>(
    write: (run: string, lane: number) => Promise<{ result: Result; head: Head | null }>,
  ): Promise<Result>
  /** The heads that have moved since this was asked last. */
  moved(): Head[]
}

export function createChains(run: string = randomUUID()): Chains {
  const free: number[] = []
  const moved = new Map<number, Head>()
  let lanes = 0
  return {
    append: async (write) => {
      const lane = free.pop() ?? lanes++
      // A lane whose statement has failed is not used again: it may be running on, and would hold up the next one.
      const { result, head } = await write(run, lane)
      free.push(lane)
      if (head !== null) moved.set(lane, head)
      return result
    },
    moved: () => {
      const heads = [...moved.values()]
      moved.clear()
      return heads
    },
  }
}
