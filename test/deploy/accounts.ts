import { readFileSync } from 'node:fs'
import type pg from 'pg'

export const ACCOUNTS = {
  hooks: 'carryover_hooks_account',
  admin: 'carryover_admin_account',
  load: 'carryover_import',
  purge: 'carryover_purge_account',
  provision: 'carryover_provision_account',
  migrate: 'carryover_migrate',
} as const

/**
 * What an administrator runs before `migrate`. Accounts are of the whole server: tests that use them share them, and the
 * caller makes sure that no two run this at the same time.
 */
export async function makeAccounts(administrator: pg.Client): Promise<void> {
  await administrator.query(readFileSync('deploy/roles.sql', 'utf8'))
}

/** The same database for another account. */
export function as(account: string, url: string): string {
  return url.replace('postgres@', `${account}@`)
}
