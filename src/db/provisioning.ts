import type { Database } from './client.ts'
import type { ItemState, PlanState } from './plan-items.ts'

/** How far the runs are. Kept counts, and nobody's id. */
export interface Provisioning {
  /** ISO 8601, UTC. */
  readonly asOf: string
  readonly plans: readonly ProvisionedPlan[]
}

export interface ProvisionedPlan {
  readonly plan: string
  readonly target: string
  readonly state: PlanState
  readonly pausedFor: string | null
  readonly speed: number | null
  readonly createdAt: string
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly users: number
  readonly counts: readonly {
    readonly action: string
    readonly method: string
    readonly state: ItemState
    readonly reason: string | null
    readonly users: number
  }[]
}

const MOST_PLANS = 100

/** What `/provisioning` answers, and `provision --status`. The newest first; of one plan, that one or nothing. */
export async function readProvisioning(
  database: Database,
  plan: string | null = null,
): Promise<Provisioning> {
  const rows = await database.query<{ asOf: Date; plan: ProvisionedPlan | null }>({
    name: 'provisioning',
    text: `select statement_timestamp() as "asOf", p.plan from (values (1)) as always (one)
      left join (
        select jsonb_build_object(
          'plan', p.id, 'target', p.target, 'state', p.state, 'pausedFor', p.paused_for, 'speed', p.speed,
          'createdAt', p.created_at, 'startedAt', p.started_at, 'endedAt', p.ended_at, 'users', p.users,
          'counts', coalesce((
            select jsonb_agg(jsonb_build_object('action', c.action, 'method', c.method, 'state', c.state,
              'reason', nullif(c.reason, ''), 'users', c.users) order by c.action, c.method, c.state, c.reason)
            from carryover.plan_counts c where c.plan = p.id and c.users <> 0), '[]')
        ) as plan
        from carryover.plans p where $1::uuid is null or p.id = $1::uuid
        order by p.created_at desc, p.id limit ${MOST_PLANS}
      ) p on true`,
    values: [plan],
  })
  return {
    asOf: (rows[0]?.asOf ?? new Date()).toISOString(),
    plans: rows.flatMap(({ plan }) => (plan === null ? [] : [plan])),
  }
}
