import type { ProposedOutcome } from './db/outcomes.ts'
import type { LegacyUser } from './domain.ts'
import type { AdmitDeps } from './hooks/admit.ts'
import type { JudgeDeps, VerdictRecord } from './hooks/judge.ts'
import type { Lookup, LookupDeps } from './hooks/lookup.ts'
import { lookupName } from './input.ts'

type Propose = (outcome: ProposedOutcome, deadline: number) => Promise<ProposedOutcome['verdict']>

/** How each flow puts its outcomes on record. All of them are durable when they resolve. */
export function recorders(propose: Propose): {
  verdict: JudgeDeps['record']
  admission: AdmitDeps['record']
  lookup: LookupDeps['record']
} {
  return {
    verdict: async (record) =>
      (await propose(verdictOutcome(record), record.attempt.deadline)) as VerdictRecord['verdict']['kind'],
    admission: async (application, admission, user, millis) => {
      const name = application.names[0]?.value ?? ''
      await propose(
        passwordlessOutcome({ ...application, name }, admission.kind, user, millis),
        application.deadline,
      )
    },
    lookup: async (lookup, outcome, user, millis) => {
      await propose(
        passwordlessOutcome({ ...lookup, name: lookup.login }, outcome, user, millis),
        lookup.deadline,
      )
    },
  }
}

function verdictOutcome({ attempt, name, user, classified, verdict, millis }: VerdictRecord) {
  return {
    dialect: attempt.dialect,
    hook: attempt.hook,
    name: user === null ? name : null,
    user_id: user?.id ?? null,
    cohort: user?.cohort ?? null,
    scheme: classified?.scheme ?? null,
    usable: classified?.usable ?? false,
    verdict: verdict.kind,
    millis,
    request_id: attempt.requestId,
    once_per_request: attempt.oncePerRequest === true,
  }
}

/** An outcome that says nothing about a password. */
function passwordlessOutcome(
  { dialect, hook, name, requestId }: Pick<Lookup, 'dialect' | 'hook' | 'requestId'> & { name: string },
  verdict: 'allowed' | 'denied' | 'found' | 'not-found',
  user: LegacyUser | null,
  millis: number,
) {
  return {
    dialect,
    hook,
    name: user === null ? lookupName(name) : null,
    user_id: user?.id ?? null,
    cohort: null,
    scheme: null,
    usable: false,
    verdict,
    millis,
    request_id: requestId,
  }
}
