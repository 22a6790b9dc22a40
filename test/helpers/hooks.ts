import { createHooksApp } from '../../src/app.ts'
import type { Dialect, DialectPolicy } from '../../src/dialects/dialect.ts'
import type { LegacyUser } from '../../src/domain.ts'
import { classify } from '../../src/hashes/classify.ts'
import { exampleStored } from '../../src/hashes/index.ts'
import { createDecoys } from '../../src/hooks/decoy.ts'
import { createGate } from '../../src/hooks/gate.ts'
import { type Flows, hookRoutes } from '../../src/hooks/routes.ts'
import { createMetrics } from '../../src/metrics.ts'
import { requester } from './calls.ts'
import { policiesFor } from './dialects.ts'
import { logBook, SECRET } from './service.ts'

/** A legacy user whose hash nothing here reads: what is right is said by whoever makes the surface. */
export function legacyUser(change: Partial<LegacyUser> = {}): LegacyUser {
  const { id = '1', login = 'ann' } = change
  return {
    id,
    login,
    email: null,
    hash: { encoded: '7c4f29407893c334a6cb7a87bf045c0d', scheme: 'md5', salt: null, login, id },
    status: 'active',
    cohort: 'c',
    profile: {},
    state: 'unmigrated',
    verifiedAt: null,
    migratedAt: null,
    ...change,
  }
}

/** The hooks of one dialect without network and database: `users` by login, whose password is `right` for all. */
export function hooksOf(
  dialect: Dialect,
  users: readonly LegacyUser[],
  policy: Partial<DialectPolicy> = {},
  judge: Partial<Flows['judge']> = {},
) {
  const { events, log } = logBook()
  const metrics = createMetrics()
  const find = async (name: string | null) => ({
    user:
      users.find(({ login, email }) =>
        [login, email].includes(name?.normalize('NFKC').toLowerCase() ?? ''),
      ) ?? null,
    ambiguous: false,
    refusals: 0,
  })
  const flows: Flows = {
    log,
    metrics,
    allows: () => true,
    judge: {
      find,
      check: async (_stored, password) => Buffer.from(password).toString() === 'right',
      record: async ({ verdict }) => verdict.kind,
      decoys: createDecoys(exampleStored, (stored) => classify(stored).usable),
      classify,
      gate: createGate(1),
      refusalLimit: 10,
      migratedGraceMs: 0,
      ...judge,
    },
    verifiedGraceMs: 60_000,
    admit: { find, record: async () => {} },
    lookup: { find, record: async () => {} },
    confirm: { confirm: async () => [] },
  }
  const policies = policiesFor(new Map([[dialect.name, [SECRET]]]), policy)
  const request = requester(createHooksApp(hookRoutes([dialect], policies, flows), { log, metrics }))
  return { request, events, metrics }
}
