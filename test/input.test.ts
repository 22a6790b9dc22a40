import { expect, test } from 'vitest'
import { loggableId, lookupName, usablePassword } from '../src/input.ts'

test.each([
  { title: 'blanks around it', login: '  Ann \n', name: 'Ann' },
  { title: 'nothing', login: '', name: null },
  { title: 'blanks alone', login: '   ', name: null },
  { title: 'NUL', login: 'a\0b', name: null },
  { title: 'a lone surrogate', login: 'a\ud800', name: null },
  { title: 'an emoji, which is a pair', login: '😀', name: '😀' },
  { title: 'a thousand and one characters', login: 'a'.repeat(1001), name: null },
])('a name with $title', ({ login, name }) => {
  expect(lookupName(login)).toBe(name)
})

test.each([
  { title: '4096 bytes', password: 'é'.repeat(2048), usable: true },
  { title: '4097 bytes', password: `${'é'.repeat(2048)}x`, usable: false },
  { title: 'blanks alone, which are kept', password: '  ', usable: true },
  { title: 'nothing', password: '', usable: false },
])('a password of $title', ({ password, usable }) => {
  const bytes = usablePassword(password)
  expect(bytes === undefined ? undefined : Buffer.from(bytes).toString()).toBe(usable ? password : undefined)
})

test('ids that would break a log line are left out', () => {
  expect([
    loggableId('XiIl6wn7005Rr@fjYqeC7CCDBxw'),
    loggableId('a\nb'),
    loggableId('x'.repeat(129)),
    loggableId(''),
  ]).toEqual(['XiIl6wn7005Rr@fjYqeC7CCDBxw', null, null, null])
})
