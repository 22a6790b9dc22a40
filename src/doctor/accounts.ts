import type { Powers, ServiceRole } from '../db/powers.ts'
import { type Finding, fine, problem, warning } from './finding.ts'

export interface Account {
  /** Who signs in with it. */
  readonly user: 'hooks listener' | 'admin listener' | 'purge'
  readonly setting: string
  readonly role: ServiceRole
  /** The connection acts as the role from its first statement on. Whoever takes the process over can undo that. */
  readonly narrowed: boolean
}

const OWN_ACCOUNTS =
  'Make two accounts, as the README says, and set HOOKS_DATABASE_URL and ADMIN_DATABASE_URL.'

/** What an account can do that its listener has no use for, and what it cannot and must. */
export function checkAccount(account: Account, powers: Powers): Finding[] {
  const { user, setting, role, narrowed } = account
  const who = `The ${user}'s account (${setting})`
  if (powers.superuser)
    return [problem('accounts', `${who} is a superuser: it can read and change everything.`, OWN_ACCOUNTS)]
  if (!powers.holdsRole)
    return [
      problem(
        'accounts',
        `${who} does not have the role ${role}, so the service cannot ${user === 'purge' ? 'purge' : 'start'}.`,
        `As an administrator: grant ${role} to that account.`,
      ),
    ]
  const reach = reachOf(powers, role)
  if (reach.length === 0) return [fine('accounts', `${who} can do what ${role} can and no more.`)]
  if (narrowed)
    return [
      warning('accounts', `${who} only narrows itself to ${role}; it ${reach.join('; it ')}.`, OWN_ACCOUNTS),
    ]
  return reach.map((power) =>
    problem('accounts', `${who} ${power}.`, `Give it the role ${role} and nothing else.`),
  )
}

function reachOf(powers: Powers, role: ServiceRole): string[] {
  const { owner, createsRoles, replicates, sweepingRoles, tables, functions, roleReads, publicFunctions } =
    powers
  return [
    ...(owner ? ['owns tables of ours, or may become their owner'] : []),
    ...(createsRoles ? ['may create roles'] : []),
    ...(replicates ? ['may replicate the whole database'] : []),
    ...(sweepingRoles.length > 0 ? [`has the roles ${sweepingRoles.join(', ')}`] : []),
    // The owner's are no news.
    ...(tables.length > 0 && !owner ? [`may read or change ${tables.join(', ')}`] : []),
    ...(functions.length > 0 && !owner ? [`may call ${functions.join(', ')}`] : []),
    ...(roleReads.length > 0
      ? [`may read or change ${roleReads.join(', ')} by the role ${role} itself`]
      : []),
    ...(publicFunctions.length > 0 ? [`may, as everybody, call ${publicFunctions.join(', ')}`] : []),
  ]
}
