import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.drop())

// Two names that a store could hold, and whether whoever types the one is found as the other.
const cases: { title: string; names: [string, string]; same: boolean }[] = [
  { title: 'case, ASCII', names: ['Ann@Example.COM', 'ann@example.com'], same: true },
  { title: 'case, Latin with accents', names: ['ÉMILE', 'émile'], same: true },
  { title: 'case, Cyrillic', names: ['ИВАН', 'иван'], same: true },
  { title: 'case, Greek', names: ['ΑΘΗΝΑ', 'αθηνα'], same: true },
  { title: 'the final sigma', names: ['νικος', 'ΝΙΚΟΣ'], same: true },
  { title: 'the final sigma and the other', names: ['νικος', 'νικοσ'], same: true },
  { title: 'the Turkish dotted capital I and i', names: ['İstanbul', 'istanbul'], same: false },
  { title: 'the Turkish dotless i and i', names: ['ısparta', 'isparta'], same: false },
  { title: 'the Turkish dotless i and I', names: ['ısparta', 'Isparta'], same: false },
  { title: 'plain I and i, whatever the locale', names: ['Isparta', 'isparta'], same: true },
  { title: 'sharp s and ss', names: ['straße', 'strasse'], same: false },
  { title: 'sharp s, small and capital', names: ['straße', 'STRAẞE'], same: true },
  { title: 'the long s and s', names: ['ſam', 'sam'], same: true },
  { title: 'the Kelvin sign and k', names: ['\u212Aate', 'kate'], same: true },
  { title: 'full-width letters', names: ['ＡＮＮ', 'ann'], same: true },
  { title: 'a full-width @', names: ['ann＠example.com', 'ann@example.com'], same: true },
  { title: 'a ligature', names: ['ﬁona', 'fiona'], same: true },
  { title: 'a circled letter', names: ['ⓐnn', 'ann'], same: true },
  { title: 'e with an accent, in one and in two', names: ['é', 'e\u0301'], same: true },
  { title: 'an accent and none', names: ['josé', 'jose'], same: false },
  { title: 'u with dots and ue', names: ['müller', 'mueller'], same: false },
  { title: 'Hangul, in one and in three', names: ['한', '\u1112\u1161\u11AB'], same: true },
  { title: 'a Cyrillic a', names: ['\u0430nn', 'ann'], same: false },
  { title: 'a zero-width joiner', names: ['an\u200Dn', 'ann'], same: false },
  { title: 'a zero-width blank', names: ['ann\u200B', 'ann'], same: false },
  { title: 'a soft hyphen', names: ['an\u00ADn', 'ann'], same: false },
  { title: 'blanks around it', names: ['  ann\t', 'ann'], same: true },
  { title: 'no-break blanks around it', names: ['\u00A0ann', 'ann'], same: true },
  { title: 'a blank within', names: ['an n', 'ann'], same: false },
  { title: 'a dot at the end', names: ['ann@example.com.', 'ann@example.com'], same: false },
  { title: 'a dot within the local part', names: ['an.n@example.com', 'ann@example.com'], same: false },
  { title: 'a word after a plus', names: ['ann+x@example.com', 'ann@example.com'], same: false },
  { title: 'superscript two and 2', names: ['ann²', 'ann2'], same: true },
  { title: 'an underscore, which is no wildcard', names: ['a_n', 'ann'], same: false },
]

describe('whether two names are one', () => {
  test.each(cases)('$title: $same', async ({ names, same }) => {
    const { rows } = await db.owner.query(
      'select carryover.name_key($1) = carryover.name_key($2) as same, carryover.name_key(carryover.name_key($1)) = carryover.name_key($1) as settled',
      names,
    )
    // Who is found is found again by the key itself.
    expect(rows).toEqual([{ same, settled: true }])
  })
})
