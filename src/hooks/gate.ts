import { Failure } from '../errors.ts'

/**
 * Lets a few attempts on the same subject be checked at the same time and makes the others wait, so that a burst of
 * guesses cannot be checked before the first refusals are counted. The database decides what is given; the gate bounds
 * the work that is done in vain, to the limit plus `width` in each process.
 */
export interface Gate {
  enter(subject: string, refusalsKnown: number, deadline: number): Promise<Place>
}

export interface Place {
  /** Refusals as far as this process knows. */
  refusals(): number
  refused(): void
  /** The next may come in. Once is enough, and more often does no harm. */
  leave(): void
}

interface Line {
  inside: number
  refusals: number
  readonly waiting: (() => void)[]
}

export function createGate(width: number): Gate {
  const lines = new Map<string, Line>()

  return {
    enter: async (subject, refusalsKnown, deadline) => {
      const line = lines.get(subject) ?? { inside: 0, refusals: 0, waiting: [] }
      lines.set(subject, line)
      if (line.inside >= width) await new Promise<void>((admitted) => line.waiting.push(admitted))
      else line.inside++
      let left = false
      const leave = () => {
        if (left) return
        left = true
        const next = line.waiting.shift()
        if (next !== undefined) return next()
        line.inside--
        if (line.inside === 0) lines.delete(subject)
      }
      if (performance.now() > deadline) {
        leave()
        throw new Failure('overloaded', { detail: 'gate' })
      }
      line.refusals = Math.max(line.refusals, refusalsKnown)
      return {
        refusals: () => line.refusals,
        refused: () => {
          line.refusals++
        },
        leave,
      }
    },
  }
}
