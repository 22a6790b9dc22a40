import { timingSafeEqual } from 'node:crypto'

/** In a time that does not depend on where they differ. */
export function equalBytes(made: Uint8Array, expected: Uint8Array): boolean {
  return made.length === expected.length && timingSafeEqual(made, expected)
}
