import type { Dialect, OwnSettings } from '../../src/dialects/dialect.ts'
import type { LegacyUser } from '../../src/domain.ts'
import { classify } from '../../src/hashes/classify.ts'
import { exampleStored } from '../../src/hashes/index.ts'
import { createDecoys } from '../../src/hooks/decoy.ts'
import { createGate } from '../../src/hooks/gate.ts'
import type { Flows } from '../../src/hooks/routes.ts'
import { createMetrics } from '../../src/metrics.ts'
import { logBook } from './service.ts'

/** A user whose hash is an MD5 of nothing that a test sends. */
export const ann: LegacyUser = {
  id: '1',
  login: 'ann',
  email: 'ann@example.com',
  hash: { encoded: '7c4f29407893c334a6cb7a87bf045c0d', scheme: 'md5', salt: null, login: 'ann', id: '1' },
  status: 'active',
  cohort: 'c',
  profile: { given_name: 'Ann', email_verified: true },
  state: 'unmigrated',
  verifiedAt: null,
  migratedAt: null,
}

/** Flows over a store in which every name is Ann's and no password is hers, and a log that keeps what it is told. */
export function fakeFlows() {
  const { events, log } = logBook()
  const metrics = createMetrics()
  const find = async () => ({ user: ann, ambiguous: false, refusals: 0 })
  const flows: Flows = {
    log,
    metrics,
    allows: () => true,
    judge: {
      find,
      check: async () => false,
      record: async ({ verdict }) => verdict.kind,
      decoys: createDecoys(exampleStored, (stored) => classify(stored).usable),
      classify,
      gate: createGate(1),
      refusalLimit: 10_000,
      migratedGraceMs: 0,
    },
    verifiedGraceMs: 0,
    admit: { find, record: async () => {} },
    lookup: { find, record: async () => {} },
    confirm: { confirm: async (notices) => notices.map(() => 'confirmed') },
  }
  return { flows, events, log, metrics }
}

/** A dialect's own settings when nothing is set. */
export function defaultsOf({ settings = {} }: Dialect): OwnSettings {
  return Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, setting.default]))
}
