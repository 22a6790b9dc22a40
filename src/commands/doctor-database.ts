import type pg from 'pg'
import type { Config, DatabaseAccount } from '../config.ts'
import { readDatabaseUrl } from '../config.ts'
import { connectOwner, type Database, openDatabase } from '../db/client.ts'
import { readCounts } from '../db/counts.ts'
import {
  countSharedNames,
  inspecting,
  MOST_NAMES,
  readClock,
  readLookupPlans,
  readPace,
  readServer,
  sampleSchemes,
} from '../db/inspection.ts'
import { schemaAge } from '../db/migrate.ts'
import { readPowers } from '../db/powers.ts'
import { type Account, checkAccount } from '../doctor/accounts.ts'
import {
  checkClock,
  checkLostSchemes,
  checkNames,
  checkPace,
  checkPlans,
  checkSchemaAge,
  checkSchemes,
  checkServer,
} from '../doctor/database.ts'
import { type Check, type Finding, problem, warning } from '../doctor/finding.ts'
import { errorCode } from '../errors.ts'
import { hashContextOf } from '../hash-context.ts'
import { classify } from '../hashes/classify.ts'
import type { Environment } from '../settings-reader.ts'

/** Everything that is asked of the database: as the service's accounts, and as the owner where one is given. */
export async function examineDatabase(config: Config, environment: Environment): Promise<Finding[]> {
  const hooks: Account = {
    user: 'hooks listener',
    role: 'carryover_hooks',
    setting: settingOf('HOOKS_DATABASE_URL', config.hooksDatabase),
    narrowed: config.hooksDatabase.role !== undefined,
  }
  const admin: Account = {
    user: 'admin listener',
    role: 'carryover_admin',
    setting: settingOf('ADMIN_DATABASE_URL', config.adminDatabase),
    narrowed: config.adminDatabase.role !== undefined,
  }
  const asAccounts = [
    ...(await asConnection(config.hooksDatabase.url, hooks.setting, async (client) => [
      ...checkServer(await readServer(client)),
      checkClock(await readClock(client)),
      ...checkAccount(hooks, await readPowers(client, hooks.role)),
    ])),
    ...(await asConnection(config.adminDatabase.url, admin.setting, async (client) =>
      checkAccount(admin, await readPowers(client, admin.role)),
    )),
  ]
  const { purge } = config
  if (purge !== undefined && purge.database.role === undefined)
    asAccounts.push(
      ...(await asConnection(purge.database.url, 'PURGE_DATABASE_URL', async (client) =>
        checkAccount(
          { user: 'purge', role: 'carryover_purge', setting: 'PURGE_DATABASE_URL', narrowed: false },
          await readPowers(client, 'carryover_purge'),
        ),
      )),
    )
  // Both may stand in one setting, and a database that cannot be reached is told once.
  const lost = asAccounts.filter(({ check }) => check === 'connection')
  if (lost.length > 0) return lost.filter(({ says }, at) => lost.findIndex((one) => one.says === says) === at)
  const age = await asRole(config.hooksDatabase, 'database', async (database) => [
    checkSchemaAge(await schemaAge(database)),
  ])
  if (age.some(({ level }) => level !== 'fine')) return [...asAccounts, ...age]
  return [
    ...asAccounts,
    ...age,
    ...(await asRole(config.hooksDatabase, 'pace', async (database) => [
      checkPace(await readPace(database)),
    ])),
    ...(await asRole(config.adminDatabase, 'schemes', async (database) => {
      const { total, schemes } = await readCounts(database)
      return checkSchemes(total, schemes)
    })),
    ...(await asOwner(config, environment)),
  ]
}

async function asOwner(config: Config, environment: Environment): Promise<Finding[]> {
  const { DATABASE_URL, DATABASE_URL_FILE } = environment
  if (!DATABASE_URL && !DATABASE_URL_FILE)
    return [
      warning(
        'names',
        'Names that several users have, indexes and the schemes of single users were not looked at.',
        'Run it once with DATABASE_URL besides.',
      ),
    ]
  return asConnection(readDatabaseUrl(environment), 'DATABASE_URL', async (client) => {
    const plans = await inspecting(client, () => readLookupPlans(client))
    const names = await inspecting(client, () => countSharedNames(client))
    const samples = await inspecting(client, () => sampleSchemes(client))
    const context = hashContextOf(config.hashes)
    const lost = samples?.flatMap(({ scheme, users, stored }) => {
      const classified = classify(stored, context)
      return classified.usable ? [] : [{ scheme, users, defect: classified.defect }]
    })
    return [...(plans ? checkPlans(plans) : []), checkNames(names, MOST_NAMES), ...checkLostSchemes(lost)]
  })
}

/** A connection as the account of a setting. What it cannot do is a finding. */
async function asConnection(
  url: string,
  setting: string,
  work: (client: pg.Client) => Promise<Finding[]>,
): Promise<Finding[]> {
  let client: pg.Client | undefined
  try {
    client = await connectOwner(url, 'carryover doctor')
    return await work(client)
  } catch (error) {
    return [unreachable('connection', `The database of ${setting}`, error)]
  } finally {
    await client?.end().catch(() => {})
  }
}

/** A pool as the service opens it. */
async function asRole(
  { url, role }: DatabaseAccount,
  check: Check,
  work: (database: Database) => Promise<Finding[]>,
): Promise<Finding[]> {
  const database = openDatabase({
    connectionString: url,
    applicationName: 'carryover doctor',
    ...(role !== undefined && { role }),
    max: 1,
    min: 0,
    patient: true,
    onLost: () => {},
  })
  try {
    return await work(database)
  } catch (error) {
    return [unreachable(check, 'The database, as the service uses it,', error)]
  } finally {
    await database.end()
  }
}

function unreachable(check: Check, what: string, error: unknown): Finding {
  return problem(
    check,
    `${what} cannot be used (${errorCode(error)}).`,
    'See that the server runs, that its address and the account are right, and that carryover migrate has run.',
  )
}

/** Where the address of an account stands. */
export function settingOf(own: string, { role }: DatabaseAccount): string {
  return role === undefined ? own : 'DATABASE_URL'
}
