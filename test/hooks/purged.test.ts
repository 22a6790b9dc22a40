import { expect, test } from 'vitest'
import type { LegacyUser } from '../../src/domain.ts'
import { classify } from '../../src/hashes/classify.ts'
import { exampleStored } from '../../src/hashes/index.ts'
import { createDecoys } from '../../src/hooks/decoy.ts'
import { createGate } from '../../src/hooks/gate.ts'
import { judge } from '../../src/hooks/judge.ts'

const ago = (millis: number) => new Date(Date.now() - millis)

test.each([
  { title: 'migrated, its grace over', migratedAt: ago(120_000), kind: 'migrated', alarms: 0 },
  { title: 'migrated, and the grace made longer since', migratedAt: ago(1_000), kind: 'migrated', alarms: 0 },
  { title: 'verified, its grace over', verifiedAt: ago(120_000), kind: 'migrated', alarms: 0 },
  { title: 'verified, and within it', verifiedAt: ago(1_000), kind: 'unusable-hash', alarms: 1 },
  { title: 'neither', kind: 'unusable-hash', alarms: 1 },
])(
  'a user without a hash who is $title is answered $kind, and costs a check',
  async ({ migratedAt = null, verifiedAt = null, kind, alarms }) => {
    const user: LegacyUser = {
      id: '1',
      login: 'ann',
      email: null,
      hash: { encoded: null, scheme: 'md5', salt: null, login: 'ann', id: '1' },
      status: 'active',
      cohort: 'retail',
      profile: {},
      state: migratedAt !== null ? 'migrated' : verifiedAt !== null ? 'verified' : 'unmigrated',
      verifiedAt,
      migratedAt,
    }
    const decoys = createDecoys(exampleStored, (stored) => classify(stored).usable)
    const checked: unknown[] = []
    const noticed: unknown[] = []
    const { verdict } = await judge(
      {
        dialect: 'okta',
        hook: 'h',
        login: 'ann',
        password: 'any',
        requestId: null,
        deadline: performance.now() + 5_000,
      },
      {
        hold: async () => {},
        find: async () => ({ user, ambiguous: false, refusals: 0 }),
        check: async (stored) => {
          checked.push(stored)
          return true
        },
        classify,
        record: async ({ verdict }) => verdict.kind,
        decoys,
        gate: createGate(2),
        refusalLimit: 10,
        migratedGraceMs: 60_000,
        verifiedGraceMs: 60_000,
        notice: (seen) => noticed.push(seen),
      },
    )
    expect(verdict.kind).toBe(kind)
    expect(checked).toEqual([decoys.current()])
    expect(noticed).toHaveLength(alarms)
  },
)
