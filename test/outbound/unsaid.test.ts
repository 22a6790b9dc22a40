import { expect, test } from 'vitest'
import type { Call } from '../../src/outbound/call.ts'
import { withoutSecrets } from '../../src/outbound/unsaid.ts'
import { createAuthorization } from '../../src/provision/authorized.ts'

const TOKEN = '00a"b\\c-token/of+ours'
const saying =
  (text: string, headers: Record<string, string> = {}): Call =>
  async () => ({ status: 401, headers, text })
const request = { method: 'GET', url: 'https://target.example/' } as const

test.each([
  { title: 'as it is', text: `the token ${TOKEN} is not known`, left: 'the token … is not known' },
  { title: 'in JSON', text: JSON.stringify({ token: TOKEN }), left: '{"token":"…"}' },
  { title: 'in an address', text: `/?t=${encodeURIComponent(TOKEN)}&`, left: '/?t=…&' },
  { title: 'in base64', text: `x ${Buffer.from(TOKEN).toString('base64')}`, left: 'x …' },
  { title: 'twice', text: `${TOKEN} ${TOKEN}`, left: '… …' },
  { title: 'not at all', text: 'invalid token', left: 'invalid token' },
])('an answer that repeats a secret $title does not', async ({ text, left }) => {
  const call = withoutSecrets(saying(text, { 'www-authenticate': `Bearer ${TOKEN}` }), [TOKEN, ''])
  expect(await call(request)).toEqual({
    status: 401,
    headers: { 'www-authenticate': 'Bearer …' },
    text: left,
  })
})

test('what is too short to be a secret is left alone', async () => {
  expect((await withoutSecrets(saying('a on b'), ['on'])(request)).text).toBe('a on b')
})

test('a token that was fetched is one of them, and its answer is not changed', async () => {
  const given: string[] = []
  const authorized = createAuthorization(
    {
      authorize: async (call) => {
        const { text } = await call(request)
        given.push(text)
        return { headers: { authorization: `Bearer ${text}` }, goodFor: 60_000 }
      },
    },
    () => 0,
  )
  const call: Call = async ({ headers = {} }) =>
    headers.authorization === undefined
      ? { status: 200, headers: {}, text: 'fetched-token' }
      : { status: 403, headers: {}, text: `no right for ${headers.authorization}` }
  expect(await authorized(call)(request)).toMatchObject({ text: 'no right for Bearer …' })
  expect(given).toEqual(['fetched-token'])
})
