import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { runCommand } from './process.ts'

export interface CsvUser {
  readonly id: string
  readonly login: string
  readonly email?: string
  readonly password_hash?: string
  readonly hash_scheme?: string
  readonly salt?: string
  readonly status?: string
  readonly cohort?: string
  readonly profile?: string
}

const COLUMNS = [
  'id',
  'login',
  'email',
  'password_hash',
  'hash_scheme',
  'salt',
  'status',
  'cohort',
  'profile',
] as const

/** Loads users the way an operator does. */
export async function loadUsers(databaseUrl: string, users: readonly CsvUser[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'carryover-users-'))
  const file = join(directory, 'users.csv')
  const cell = (text = '') => `"${text.replaceAll('"', '""')}"`
  const lines = users.map((user) => COLUMNS.map((column) => cell(user[column])).join(','))
  await writeFile(file, [COLUMNS.join(','), ...lines, ''].join('\n'))
  const result = await runCommand(['load', file], { DATABASE_URL: databaseUrl })
  await rm(directory, { recursive: true })
  expect(result.code, result.err).toBe(0)
}

export function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}

/** `count` users u0, u1, ... whose password is their login with a question mark, cheap to check. */
export function cheapUsers(count: number): CsvUser[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `id-${at}`,
    login: `u${at}@example.com`,
    password_hash: md5(`u${at}@example.com?`),
    hash_scheme: 'md5',
    cohort: ['retail', 'business', 'staff'][at % 3] ?? 'staff',
  }))
}
