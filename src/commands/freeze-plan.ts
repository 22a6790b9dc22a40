import { randomUUID } from 'node:crypto'
import { readHashSettings } from '../config.ts'
import { targetSettingsDigest } from '../config-targets.ts'
import { type Behind, type NewestPlan, withFreeze } from '../db/freeze.ts'
import { openPlanning, readPlan } from '../db/plans.ts'
import { hashContextOf } from '../hash-context.ts'
import { portableOf } from '../hashes/portable.ts'
import { StoppedError } from '../load/load.ts'
import { preparedBy } from '../mapping/prepare.ts'
import { defaultMapping } from '../mapping/read.ts'
import { makePlan, type PlanContent, type PlanReport, PlanStopped } from '../provision/plan.ts'
import type { TargetKind } from '../targets/target.ts'
import type { Io } from './command.ts'
import { readMappingFile } from './mapping-file.ts'
import { OWN_FIELDS, optionsOf } from './plan.ts'

/** What a plan that is made now would have. */
export interface PlanNow {
  readonly toDo: Behind
  readonly report: PlanReport
}

export interface PlanNowRequest {
  readonly url: string
  readonly kind: TargetKind
  /** A file; undefined: the newest plan's, or the target's own names. */
  readonly mapping: string | undefined
  readonly newest: NewestPlan | null
}

/** Ids that are told. */
const SOME = 5

/** Makes a plan by the options of the newest one, for every cohort, and keeps nothing of it. Throws StepError, UsageError. */
export async function planNow({ url, kind, mapping, newest }: PlanNowRequest, io: Io): Promise<PlanNow> {
  const given = mapping === undefined ? undefined : await readMappingFile(mapping)
  const kept = newest === null ? undefined : await contentOf(url, newest.id)
  const context = hashContextOf(readHashSettings(io.env))
  const now = new Date()
  const id = randomUUID()
  const planning = await openPlanning(url, id)
  const ids: string[] = []
  try {
    const report = await makePlan(
      {
        id,
        kind,
        settingsDigest: targetSettingsDigest(kind, io.env),
        batch: kind.traits.batch,
        options: { ...(kept?.options ?? optionsOf({}, kind.traits, now)), cohorts: [] },
        now,
      },
      {
        planning: {
          ...planning,
          write: async (items) => {
            for (const { userId, state } of items)
              if (state === 'pending' && ids.length < SOME) ids.push(userId)
          },
          commit: async () => {},
        },
        mapping: async (claims) => {
          if (given !== undefined) return given
          if (kept !== undefined) return kept.mapping
          const fields = (await claims()).map((name) => `profile.${name}`)
          return defaultMapping(kind.traits, [...OWN_FIELDS, ...fields])
        },
        preparedBy,
        portable: (stored) => portableOf(stored, context),
        examine: null,
        progress: () => {},
        stop: io.stop,
      },
    )
    return { report, toDo: { users: report.toDo, ids: ids.sort() } }
  } catch (error) {
    throw error instanceof PlanStopped ? new StoppedError('stopped') : error
  } finally {
    await planning.close()
  }
}

async function contentOf(url: string, id: string): Promise<PlanContent | undefined> {
  const plan = await withFreeze(url, 'reading the newest plan', (client) =>
    readPlan<PlanContent, PlanReport>(client, id),
  )
  return plan?.content
}
