import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { canonicalJson, contentDigest, hashDigest } from '../../src/provision/content.ts'

const key = Buffer.alloc(32, 7)
const user = {
  login: 'ann',
  email: 'ann@example.com',
  active: true,
  attributes: { given: 'Ann', address: { street: 'A', zip: '1' } },
}

test('the content of a user is an HMAC over its JSON with names in order', () => {
  const json =
    '{"active":true,"attributes":{"address":{"street":"A","zip":"1"},"given":"Ann"},"email":"ann@example.com","login":"ann"}'
  expect(canonicalJson(user)).toBe(json)
  expect(contentDigest(key, user)).toEqual(createHmac('sha256', key).update(`content\0${json}`).digest())
})

test.each([
  {
    title: 'attributes in another order',
    change: { attributes: { address: { zip: '1', street: 'A' }, given: 'Ann' } },
    same: true,
  },
  {
    title: 'an attribute without a value',
    change: { attributes: { ...user.attributes, gone: undefined } },
    same: true,
  },
  { title: 'another login', change: { login: 'anne' }, same: false },
  { title: 'no e-mail address', change: { email: null }, same: false },
  { title: 'an inactive user', change: { active: false }, same: false },
  { title: 'another attribute', change: { attributes: { ...user.attributes, given: 'Anna' } }, same: false },
  { title: 'a list in another order', change: { attributes: { groups: ['a', 'b'] } }, same: false },
])('$title: the same content is $same', ({ change, same }) => {
  expect(contentDigest(key, { ...user, ...change }).equals(contentDigest(key, user))).toBe(same)
})

test('lists keep their order', () => {
  expect(canonicalJson([{ b: 1, a: [2, 1] }])).toBe('[{"a":[2,1],"b":1}]')
})

test('a hash is told from another by every part, and with the key alone', () => {
  const stored = { encoded: 'x', salt: 'y', scheme: 'md5' }
  const digests = [
    hashDigest(key, stored),
    hashDigest(key, { ...stored, encoded: 'y' }),
    hashDigest(key, { ...stored, salt: null }),
    hashDigest(key, { ...stored, scheme: null }),
    hashDigest(Buffer.alloc(32, 8), stored),
  ].map((digest) => digest.toString('hex'))
  expect(new Set(digests).size).toBe(5)
})
