import { readDatabaseUrl } from '../config.ts'
import { migrateDatabase } from '../db/migrate.ts'
import type { Command } from './command.ts'
import { readOptions } from './options.ts'

export const migrate: Command = {
  name: 'migrate',
  synopsis: '',
  summary: 'bring the database of DATABASE_URL to this version',
  help: `Makes the schema "carryover", the table legacy.users unless a table or view of that name exists, and the
roles carryover_hooks, carryover_admin, carryover_purge, carryover_load and carryover_provision. Safe to run again.`,
  run: async (args, io) => {
    readOptions(args, {})
    await migrateDatabase(readDatabaseUrl(io.env))
    io.err('the database is up to date\n')
    return 0
  },
}
