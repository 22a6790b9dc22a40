import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { AttemptHook } from '../../src/dialects/dialect.ts'
import { generic } from '../../src/dialects/generic.ts'
import { ann } from '../helpers/flows.ts'

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`fixtures/generic.${name}.json`, import.meta.url), 'utf8'))

const [verify] = generic.hooks({}) as [AttemptHook]
const asked = { login: 'ann', password: 'p', requestId: null }

test.each([
  {
    title: 'the sample',
    body: fixture('verify.request'),
    question: { login: 'alice@example.com', password: 'legacy-password', requestId: null },
  },
  {
    title: 'a sign-in that does not say so',
    body: { identifier: 'a', password: 'p' },
    question: { login: 'a', password: 'p', requestId: null },
  },
  {
    title: 'a look-up',
    body: { identifier: 'a', purpose: 'lookup' },
    question: { login: 'a', password: null, requestId: null },
  },
  {
    title: 'a look-up with the password null',
    body: { identifier: 'a', purpose: 'lookup', password: null },
    question: { login: 'a', password: null, requestId: null },
  },
  {
    title: 'an id of the request',
    body: { identifier: 'a', password: '', requestId: 'r-1', more: 1 },
    question: { login: 'a', password: '', requestId: 'r-1' },
  },
])('reads $title', ({ body, question }) => {
  expect(verify.schema.parse(body)).toEqual(question)
})

test.each([
  { title: 'no identifier', body: { password: 'p' }, at: 'identifier' },
  { title: 'a sign-in without a password', body: { identifier: 'a', purpose: 'login' }, at: 'password' },
  { title: 'a sign-in with the password null', body: { identifier: 'a', password: null }, at: 'password' },
  {
    title: 'a look-up with a password',
    body: { identifier: 'a', purpose: 'lookup', password: 'p' },
    at: 'password',
  },
  { title: 'another purpose', body: { identifier: 'a', password: 'p', purpose: 'reset' }, at: 'purpose' },
  { title: 'the purpose null', body: { identifier: 'a', purpose: null }, at: 'purpose' },
])('refuses $title and names the field', ({ body, at }) => {
  expect(verify.schema.safeParse(body).error?.issues.map(({ path }) => path.join('.'))).toEqual([at])
})

test.each([
  { verdict: { kind: 'unknown-login' } as const, sample: 'wrong_password', reasons: 'off' },
  { verdict: { kind: 'disabled' } as const, sample: 'wrong_password', reasons: 'off' },
  { verdict: { kind: 'mismatch' } as const, sample: 'wrong_password', reasons: 'off' },
  { verdict: { kind: 'mismatch' } as const, sample: 'wrong_password' },
  { verdict: { kind: 'throttled' } as const, sample: 'wrong_password' },
  { verdict: { kind: 'unusable-hash', defect: 'malformed' } as const, sample: 'wrong_password' },
  { verdict: { kind: 'migrated' } as const, sample: 'wrong_password' },
  { verdict: { kind: 'unknown-login' } as const, sample: 'unknown_user' },
  { verdict: { kind: 'disabled' } as const, sample: 'disabled' },
])('$verdict.kind is $sample where reasons are $reasons', ({ verdict, sample, reasons = 'on' }) => {
  const [verify] = generic.hooks({ REFUSAL_REASONS: reasons }) as [AttemptHook]
  expect(verify.answer(verdict, asked)).toEqual({ status: 200, body: fixture(`verify.response.${sample}`) })
})

const told = {
  id: '1',
  login: 'ann',
  email: 'ann@example.com',
  email_verified: true,
  given_name: 'Ann',
  status: 'active',
}

test('a match brings the user', () => {
  expect(verify.answer({ kind: 'match', user: ann }, asked)).toEqual({
    status: 200,
    body: { verdict: 'match', mustReset: false, user: told },
  })
})

test('a look-up brings the user and the status, and is no match', () => {
  expect(verify.found?.(ann, asked).body).toEqual({ verdict: 'found', user: told })
  expect(verify.found?.({ ...ann, status: 'locked' }, asked).body).toMatchObject({
    user: { status: 'locked' },
  })
  expect(verify.found?.(null, asked)).toEqual({ status: 200, body: fixture('verify.response.unknown_user') })
})

test('an attribute cannot pose as what every user has', () => {
  const profile = { id: 'x', login: 'x', status: 'x', email: 'x@example.com', email_verified: true }
  expect(verify.answer({ kind: 'match', user: { ...ann, profile } }, asked).body?.user).toEqual({
    id: '1',
    login: 'ann',
    email: 'ann@example.com',
    email_verified: false,
    status: 'active',
  })
})

test('a login that is an address is the address of a user without one', () => {
  const user = { ...ann, login: 'ann@example.org', email: null }
  expect(verify.answer({ kind: 'match', user }, asked).body?.user).toMatchObject({
    email: 'ann@example.org',
    email_verified: true,
  })
  expect(verify.answer({ kind: 'match', user: { ...ann, email: null } }, asked).body?.user).toMatchObject({
    email: null,
    email_verified: false,
  })
})
