import { errorCode, Failure } from '../errors.ts'

/** Whatever went wrong during a check is a failure with a code, and never a verdict. */
export function asFailure(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure('unavailable', { detail: errorCode(error) })
}
