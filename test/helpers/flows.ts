import type { Dialect, OwnSettings } from '../../src/dialects/dialect.ts'
import type { LegacyUser, Verdict } from '../../src/domain.ts'
import { classify } from '../../src/hashes/classify.ts'
import { exampleStored } from '../../src/hashes/index.ts'
import { createDecoys } from '../../src/hooks/decoy.ts'
import { createGate } from '../../src/hooks/gate.ts'
import type { Found } from '../../src/hooks/judge.ts'
import type { Flows } from '../../src/hooks/routes.ts'
import { createMetrics } from '../../src/metrics.ts'
import { logBook } from './service.ts'

/** A legacy user whose hash is an MD5 of nothing that a test sends. */
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

export const ann = legacyUser({
  email: 'ann@example.com',
  profile: { given_name: 'Ann', email_verified: true },
})

export const found = (user: LegacyUser | null): Found => ({ user, ambiguous: false, refusals: 0 })

/** Flows over a store that `find` stands for, without a database, and a log that keeps what it is told. */
export function flowsOver(
  find: (name: string | null) => Found,
  judge: Partial<Flows['judge']> = {},
  more: Partial<Flows> = {},
) {
  const { events, log } = logBook()
  const metrics = createMetrics()
  const asked = async (name: string | null) => find(name)
  const flows: Flows = {
    log,
    metrics,
    allows: () => true,
    judge: {
      find: asked,
      check: async (_stored, password) => Buffer.from(password).toString() === 'right',
      record: async ({ verdict }) => verdict.kind,
      decoys: createDecoys(exampleStored, (stored) => classify(stored).usable),
      classify,
      gate: createGate(1),
      refusalLimit: 10,
      migratedGraceMs: 0,
      ...judge,
    },
    floor: { reached: async () => {} },
    refusals: { count: () => {} },
    verifiedGraceMs: 60_000,
    admit: { find: asked, record: async () => {} },
    lookup: { find: asked, record: async () => {} },
    confirm: { confirm: async (notices) => notices.map(() => 'confirmed') },
    ...more,
  }
  return { flows, events, log, metrics }
}

/** Flows over a store in which every name is Ann's and no password is hers. */
export function fakeFlows() {
  return flowsOver(() => found(ann), { check: async () => false, refusalLimit: 10_000 })
}

/** A dialect's own settings when nothing is set. */
export function defaultsOf({ settings = {} }: Dialect): OwnSettings {
  return Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, setting.default]))
}

/** One of each kind. */
export const verdicts: Record<Verdict['kind'], Verdict> = {
  match: { kind: 'match', user: ann },
  mismatch: { kind: 'mismatch' },
  'unknown-login': { kind: 'unknown-login' },
  disabled: { kind: 'disabled' },
  throttled: { kind: 'throttled' },
  'unusable-hash': { kind: 'unusable-hash', defect: 'malformed' },
  migrated: { kind: 'migrated' },
}
