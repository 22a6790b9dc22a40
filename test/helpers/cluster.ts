import type { TestProject } from 'vitest/node'
import { startEmbedded } from '../../src/db/embedded.ts'
import { migrateDatabase } from '../../src/db/migrate.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Socket directory of the PostgreSQL that all test files share. */
    socketDirectory: string
  }
}

/** One PostgreSQL for the whole run, with a migrated database `template_carryover` that every file clones. */
export default async function setup(project: TestProject) {
  // Nothing of it outlasts the run. With fsync, most of a short test's time is that of dropping its database.
  const server = await startEmbedded({ settings: ['log_statement=none', 'fsync=off'] })
  await migrateDatabase(await server.database('template_carryover'))
  project.provide('socketDirectory', server.socketDirectory)
  return () => server.stop()
}
