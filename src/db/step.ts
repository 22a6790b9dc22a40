import { errorCode, Failure } from '../errors.ts'

/** Long work that could not be done. The message says at which step and why, and quotes no row. */
export class StepError extends Error {}

/** Does one step of long work. PostgreSQL's own messages quote rows, so only the SQLSTATE is told. */
export async function step<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StepError) throw error
    throw new StepError(`the database failed while ${name} (${databaseCode(error)})`)
  }
}

/** A connection that goes away shows itself in several ways; for some, pg has only a sentence. */
function databaseCode(error: unknown): string {
  if (error instanceof Failure || !(error instanceof Error)) return errorCode(error)
  const code = errorCode(error)
  const lost = /^(Connection terminated|Client has encountered)/.test(error.message)
  return lost || code === 'EPIPE' || code === 'ECONNRESET' ? 'connection-lost' : code
}
