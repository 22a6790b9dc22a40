import { z } from 'zod'
import { CallFailure, type OutboundAnswer } from '../outbound/call.ts'
import type { LimitNotice } from './target.ts'

/** The JSON of an answer, or undefined where it is none. */
export function jsonOf({ text }: OutboundAnswer): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What a parser makes of an answer that tells of success. Throws CallFailure: nobody knows what was done. */
export function expected<T>(
  answer: OutboundAnswer,
  schema: { safeParse(value: unknown): { success: true; data: T } | { success: false } },
): T {
  const read = schema.safeParse(jsonOf(answer))
  if (!read.success) throw new CallFailure('malformed')
  return read.data
}

/** Longer than the keys of any target that is known. */
const LONGEST_KEY = 256

/**
 * The target's own key of something, which is kept and later stands in the path of an address. Half a surrogate pair cannot be
 * escaped there, dot segments and nothing at all name something else, and a control character cannot be kept.
 */
export const keyShape = z
  .string()
  .min(1)
  .max(LONGEST_KEY)
  .refine((key) => !/\p{Cc}|\p{Cs}/u.test(key) && key !== '.' && key !== '..')

/** A header that is a number, or undefined. */
export function numberIn({ headers }: OutboundAnswer, name: string): number | undefined {
  const text = headers[name]
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** The target's clock in milliseconds since 1970, by its Date header. */
export function clockOf({ headers }: OutboundAnswer): number | undefined {
  const at = Date.parse(headers.date ?? '')
  return Number.isNaN(at) ? undefined : at
}

/** For bodies that are JSON. */
export const JSON_BODY = { 'content-type': 'application/json' } as const

/**
 * Of targets that publish no limits: how long whoever is told "too many" has to wait, where one of these statuses says so.
 *
 * @param usualMs where the answer does not say when; undefined: then it is no word about limits
 */
export function retryAfter(
  answer: OutboundAnswer,
  statuses: readonly number[],
  usualMs?: number,
): LimitNotice | null {
  if (!statuses.includes(answer.status)) return null
  const seconds = numberIn(answer, 'retry-after')
  const waitMs = seconds === undefined ? usualMs : seconds * 1_000
  if (waitMs === undefined) return null
  const now = clockOf(answer)
  return { waitMs, ...(now !== undefined && { now }) }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether two values are the same JSON, whatever the order of members. */
export function sameJson(left: unknown, right: unknown): boolean {
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((item, place) => sameJson(item, right[place]))
  if (!isRecord(left) || !isRecord(right)) return left === right
  const names = Object.keys(left)
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && sameJson(left[name], right[name]))
  )
}
