import { createHooksApp } from '../../src/app.ts'
import type { Dialect, DialectPolicy } from '../../src/dialects/dialect.ts'
import type { LegacyUser } from '../../src/domain.ts'
import { type Flows, hookRoutes } from '../../src/hooks/routes.ts'
import { requester } from './calls.ts'
import { policiesFor } from './dialects.ts'
import { flowsOver, found } from './flows.ts'
import { SECRET } from './service.ts'

/** The hooks of one dialect without network and database: `users` by login, whose password is `right` for all. */
export function hooksOf(
  dialect: Dialect,
  users: readonly LegacyUser[],
  policy: Partial<DialectPolicy> = {},
  judge: Partial<Flows['judge']> = {},
) {
  const isNamed = (name: string | null) => {
    const wanted = name?.normalize('NFKC').toLowerCase() ?? ''
    return ({ login, email }: LegacyUser) => [login, email].includes(wanted)
  }
  const { flows, events, log, metrics } = flowsOver((name) => found(users.find(isNamed(name)) ?? null), judge)
  const policies = policiesFor(new Map([[dialect.name, [SECRET]]]), policy)
  const request = requester(createHooksApp(hookRoutes([dialect], policies, flows), { log, metrics }))
  return { request, events, metrics }
}
