import { openings } from '../seal/openings.ts'
import { type Io, UsageError } from './command.ts'

/** For commands that see passwords or hashes. Throws UsageError where the start of this process would let them out. */
export function requireSealed({ node, env }: Io): void {
  if (node === undefined) return
  const found = openings({ ...node, env })
  if (found.length > 0)
    throw new UsageError(`Node was started in a way that lets passwords out:\n  ${found.join('\n  ')}`)
}
