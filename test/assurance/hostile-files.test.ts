import { describe, expect, test } from 'vitest'
import { SourceError } from '../../src/load/source-row.ts'
import { MappingError } from '../../src/mapping/json.ts'
import { readMapping } from '../../src/mapping/read.ts'
import { readRules } from '../../src/mapping/rules.ts'
import { sourceFormats } from '../../src/sources/index.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { HOSTILE, hostileJson } from '../helpers/hostile-answers.ts'
import { seeded } from '../helpers/random.ts'

// Files that somebody else wrote: an export that was changed on its way, a mapping from a mail. They may be refused, in words of
// ours; they may not change what all objects share, take the memory or the stack, or be quoted.

const ROUNDS = sized(300, 10_000)

/** A user of every format, with places for what is hostile. */
const seeds: Readonly<Record<string, string>> = {
  ldif: 'dn: uid=ann,dc=example\nuid: ann\nmail: ann@example.com\nuserPassword:: e1NTSEF9eA==\nobjectClass: person\n\n',
  auth0:
    '{"user_id":"auth0|1","email":"ann@example.com","passwordHash":"$2b$10$x","user_metadata":{"a":1}}\n',
  keycloak:
    '{"realm":"shop","users":[{"id":"1","username":"ann","attributes":{"a":["1"]},"credentials":[{"type":"password","secretData":"{}","credentialData":"{}"}]}]}',
  firebase:
    '{"users":[{"localId":"1","email":"ann@example.com","passwordHash":"eA==","salt":"eA==","customAttributes":"{}"}]}',
  cognito:
    '{"Users":[{"Username":"ann","Attributes":[{"Name":"email","Value":"ann@example.com"}],"Enabled":true}]}',
  okta: '[{"id":"1","status":"ACTIVE","profile":{"login":"ann@example.com","email":"ann@example.com"}}]',
}

const mapping = '{"target":"okta","fields":{"login":{"to":"login"}},"calculated":{"nickName":"{login}"}}'
const rules = '[{"name":"one","field":"email","fix":{"kind":"trim"}}]'

const names = [
  'id',
  'users',
  'Users',
  'fields',
  'to',
  'fix',
  'kind',
  'name',
  'field',
  'profile',
  'attributes',
  'credentials',
  'email',
]

/** The text with some places spoilt: other JSON, names that all objects share, depth, large numbers, cuts. */
function spoiltText(text: string, random: () => number): string {
  const at = Math.floor(random() * (text.length + 1))
  const values = [
    () => `"__proto__":{"polluted":"${HOSTILE}"},`,
    () => `"constructor":{"prototype":{"polluted":"${HOSTILE}"}},`,
    () => '['.repeat(20_000),
    () => '{"a":'.repeat(20_000),
    () => '9'.repeat(400),
    () => '1e999',
    () => `-${'9'.repeat(30)}`,
    () => hostileJson(random, names, true),
    () => `\n__proto__: ${HOSTILE}\nconstructor:: ${HOSTILE}\n`,
    () => `:: ${'A'.repeat(5_000)}`,
    () => '\0\ufeff\ud800',
    () => '',
  ]
  const value = values[Math.floor(random() * values.length)]?.() ?? ''
  return text.slice(0, at) + value + text.slice(at + (random() < 0.5 ? 0 : Math.floor(random() * 20)))
}

/** A value of the old text in place of which another stands, so that the file is read to its end. */
function replacedValue(text: string, random: () => number): string {
  const places = [...text.matchAll(/:(?="|\[|\{|\d|t)/g)].map(({ index }) => index)
  const at = places[Math.floor(random() * places.length)]
  if (at === undefined) return text
  const end = /^("(?:[^"\\]|\\.)*"|[\d.]+|true|\[\]|\{\})/.exec(text.slice(at + 1))?.[0].length ?? 0
  const value = random() < 0.1 ? '['.repeat(20_000) + ']'.repeat(20_000) : hostileJson(random, names, true)
  return `${text.slice(0, at + 1)}${end === 0 ? '' : value}${text.slice(at + 1 + end)}`
}

function unpolluted(): void {
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
}

/** Objects of rows are plain ones, whatever names they have, as far as it is looked. */
function arePlain(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null || depth > 50) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    (prototype === Object.prototype || prototype === Array.prototype || prototype === null) &&
    Object.values(value).every((inner) => arePlain(inner, depth + 1))
  )
}

describe.each(sourceFormats)('$name', ({ name, rows }) => {
  test(
    'hostile exports are rows, broken rows or no file of this format',
    allowed(60_000, 600_000),
    async () => {
      const random = seeded(3)
      const seed = seeds[name]
      if (seed === undefined) throw new Error('no seed of this format')
      let read = 0
      let refused = 0
      for (let round = 0; round < ROUNDS; round++) {
        const text =
          round === 0
            ? seed
            : random() < 0.5
              ? replacedValue(seed, random)
              : spoiltText(seed.repeat(2), random)
        const bytes = Buffer.from(text)
        const pieces = async function* () {
          for (let at = 0; at < bytes.length; at += 4_096) yield bytes.subarray(at, at + 4_096)
        }
        try {
          for await (const found of rows(pieces())) {
            if (!('row' in found)) {
              refused += 1
              continue
            }
            read += 1
            expect(arePlain(found.row), `round ${round}`).toBe(true)
            expect(Object.keys(found.row)).not.toContain('__proto__')
          }
        } catch (error) {
          if (!(error instanceof SourceError)) throw error
          refused += 1
          expect(error.message).not.toContain(HOSTILE)
        }
        unpolluted()
      }
      measured({
        part: 'fuzz',
        requirement: 'R-45',
        what: `${ROUNDS} spoilt files of ${name}`,
        wanted: 'rows or refusals in words of ours, no shared object changed',
        got: `${read} rows, ${refused} files refused`,
      })
      expect(read).toBeGreaterThan(0)
      expect(refused).toBeGreaterThan(0)
    },
  )
})

test.each([
  { what: 'a mapping', seed: mapping, reading: (text: string): unknown => readMapping(text) },
  { what: 'a file of rules', seed: rules, reading: (text: string): unknown => readRules(text) },
])(
  '$what that is hostile is refused without a word of it, or read',
  allowed(60_000, 600_000),
  ({ seed, reading }) => {
    const random = seeded(4)
    let refused = 0
    for (let round = 0; round < ROUNDS * 3; round++) {
      const text = random() < 0.5 ? replacedValue(seed, random) : spoiltText(seed, random)
      try {
        expect(arePlain(reading(text))).toBe(true)
      } catch (error) {
        if (!(error instanceof MappingError)) throw error
        refused += 1
        // Names are told, cut to eighty characters; values never.
        expect(error.message.length).toBeLessThan(5_000)
      }
      unpolluted()
    }
    expect(refused).toBeGreaterThan(ROUNDS)
  },
)
