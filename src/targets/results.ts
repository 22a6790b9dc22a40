// What targets make of orders in the same way.
import type { Brought, Order, ReasonCode, Refused, Result } from './target.ts'

export function refused(
  reason: ReasonCode,
  targetCode: string | null = null,
  targetText: string | null = null,
): Refused {
  return { kind: 'refused', reason, targetCode, targetText }
}

/** For targets whose calls are about one user each. */
export async function oneByOne(
  orders: readonly Order[],
  obey: (order: Order) => Promise<Result>,
): Promise<Brought> {
  const results: Result[] = []
  for (const order of orders) results.push(await obey(order))
  return { kind: 'each', results }
}

/** An attribute that says yes: as JSON has it, or as a column of texts does. */
export function isTrue(value: unknown): boolean {
  return value === true || value === 'true'
}

/** An attribute that is a text with characters. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
