import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, [
    { id: '1', login: 'ann@example.com', password_hash: md5('trimmed-pa55word'), hash_scheme: 'md5' },
  ])
})
afterAll(() => db.drop())

const METRIC = 'carryover_mismatch_variants_total'

async function signIn(environment: Record<string, string>) {
  const service = await startProcess(db.url, environment)
  const body = passwordImport('ann@example.com', ' trimmed-pa55word')
  const { text } = await caller(service.hooksUrl)('/okta/password-import', body)
  let metrics = ''
  // The diagnosis comes a moment after the answer: waited for where it is on, given time to show itself where it is off.
  const until = performance.now() + (environment.DIAGNOSE_MISMATCHES === 'on' ? 20_000 : 700)
  while (!metrics.includes(`${METRIC}{`) && performance.now() < until) {
    await new Promise((later) => setTimeout(later, 50))
    metrics = (await admin(service.adminUrl, '/metrics')).text
  }
  const counts = (await admin(service.adminUrl, '/counts')).json()
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  return { text, counts, metrics }
}

test('off means off', async () => {
  const { text, counts, metrics } = await signIn({})
  expect(text).toContain('"UNVERIFIED"')
  expect(counts).not.toHaveProperty('mismatchVariants')
  expect(metrics).not.toContain(METRIC)
})

test('on: the answer is the same, and the variant is counted', async () => {
  const { text, counts, metrics } = await signIn({ DIAGNOSE_MISMATCHES: 'on' })
  expect(text).toContain('"UNVERIFIED"')
  expect(counts).toHaveProperty('mismatchVariants', [{ scheme: 'md5', variant: 'trimmed', count: 1 }])
  expect(metrics).toContain(`${METRIC}{scheme="md5",variant="trimmed"} 1`)
})
