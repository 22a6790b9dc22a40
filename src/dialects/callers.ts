import { isOneOf } from '../secrets.ts'

/** A provider proves itself by a fixed value of the Authorization header. */
export function hasHeaderSecret(
  header: (name: string) => string | undefined,
  secrets: readonly string[],
): boolean {
  return isOneOf(header('authorization') ?? '', secrets)
}
