import type { OutboundAnswer } from '../../src/outbound/call.ts'

/** In every text that a hostile target makes up. */
export const HOSTILE = 'zQhostile'

const TEXTS = [
  HOSTILE,
  `${HOSTILE}/../../admin`,
  '../',
  '..',
  '.',
  '',
  `?${HOSTILE}=1`,
  `#${HOSTILE}`,
  `${HOSTILE}\0`,
  `${HOSTILE}\r\nx-injected: 1`,
  '\ud800',
  `${HOSTILE}\udfff`,
  `//${HOSTILE}.example/`,
  `https://${HOSTILE}.example/`,
  `%2e%2e%2f${HOSTILE}`,
  HOSTILE.repeat(2_000),
  '__proto__',
  `=cmd|' /C ${HOSTILE}'!A0`,
]
const NUMBERS = [-1, 0, 1, 0.5, 1e308, -1e308, Number.MAX_SAFE_INTEGER + 2, 200, 409]

const pick = <T>(random: () => number, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T

/** JSON that no provider says: whatever is in it is of the wrong kind. */
export function hostileJson(
  random: () => number,
  names: readonly string[],
  texts: boolean,
  depth = 0,
): string {
  const kind = random()
  if (depth < 4 && kind < 0.35) {
    const count = Math.floor(random() * 5)
    const members = Array.from({ length: count }, () => {
      const name =
        random() < 0.15 ? pick(random, ['__proto__', 'constructor', 'prototype']) : pick(random, names)
      return `${JSON.stringify(name)}:${hostileJson(random, names, texts, depth + 1)}`
    })
    return `{${members.join(',')}}`
  }
  if (depth < 4 && kind < 0.55)
    return `[${Array.from({ length: Math.floor(random() * 4) }, () => hostileJson(random, names, texts, depth + 1)).join(',')}]`
  if (texts && kind < 0.8) return JSON.stringify(pick(random, TEXTS))
  if (kind < 0.9) return JSON.stringify(pick(random, NUMBERS))
  return pick(random, ['null', 'true', 'false'])
}

/** An answer that is none: pages, what is too deep or too large, what is cut, and JSON with members that are of the wrong kind. */
export function hostileAnswer(
  random: () => number,
  names: readonly string[],
  statuses: readonly number[],
): OutboundAnswer {
  const text = pick<() => string>(random, [
    () => '',
    () => `<!doctype html><html><title>${HOSTILE}</title></html>`,
    () => `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
    () => `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
    () => `{"${HOSTILE}":`,
    () => JSON.stringify(HOSTILE.repeat(50_000)),
    () => `[${'{},'.repeat(20_000)}{}]`,
    () => 'null',
    () => `{"__proto__":{"id":"${HOSTILE}","status":"completed"},"constructor":{"prototype":{}}}`,
    ...Array.from({ length: 8 }, () => () => hostileJson(random, names, false)),
  ])()
  return { status: pick(random, statuses), headers: hostileHeaders(random), text }
}

function hostileHeaders(random: () => number): Record<string, string> {
  const names = [
    'date',
    'location',
    'retry-after',
    'x-rate-limit-limit',
    'x-rate-limit-remaining',
    'x-rate-limit-reset',
    'x-ratelimit-reset',
    'link',
    'content-type',
  ]
  const values = [
    '',
    '-1',
    '1e99',
    '999999999999999999999',
    HOSTILE,
    `https://${HOSTILE}.example/users/..`,
    `<https://${HOSTILE}.example/>; rel="next"`,
    'Thu, 01 Jan 1970 00:00:00 GMT',
  ]
  return Object.fromEntries(names.filter(() => random() < 0.3).map((name) => [name, pick(random, values)]))
}

/** A true answer with some of its members spoilt: other kinds, keys that lead elsewhere, lists that are shorter or longer. */
export function spoilt(answer: OutboundAnswer, random: () => number): OutboundAnswer {
  let body: unknown
  try {
    body = JSON.parse(answer.text)
  } catch {
    return { ...answer, text: `<html>${HOSTILE}</html>` }
  }
  const spoil = (value: unknown): unknown => {
    if (random() < 0.15) {
      if (Array.isArray(value)) return random() < 0.5 ? value.slice(1) : [...value, ...value.slice(0, 1)]
      // Never a number for a number or a word for a word: a lie that is well made cannot be told from the truth.
      if (typeof value === 'string')
        return pick<unknown>(random, [null, 7, [], {}, '', '..', '\ud800', 'a\0'])
      if (typeof value === 'number') return pick<unknown>(random, [null, '', -1, 0.5, {}])
      if (typeof value === 'boolean') return pick<unknown>(random, [null, HOSTILE, 7])
      return pick<unknown>(random, [null, [], 7, HOSTILE])
    }
    if (Array.isArray(value)) return value.map(spoil)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, spoil(inner)]))
  }
  return { ...answer, text: JSON.stringify(spoil(body)) }
}
