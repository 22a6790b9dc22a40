import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { cognito } from '../../src/targets/cognito.ts'
import { TargetError } from '../../src/targets/target.ts'

test('nobody is brought to Cognito, and it says why and what to do instead', () => {
  expect(cognito.impossible).toMatch(/imports no password hashes/)
  expect(cognito.impossible).toMatch(/trigger is called for users alone whom the pool does not have/)
  const page = /docs\/[a-z-]+\.md/.exec(cognito.impossible ?? '')?.[0] ?? ''
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8')
  expect(text).toContain('Do not import the users first')
  expect(() => cognito.open({})).toThrow(TargetError)
  expect(cognito.traits).toMatchObject({ hook: true, hookWants: 'absent', others: 'refused', removes: [] })
})
