import { readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Defect, StoredHash } from '../../src/domain.ts'
import { classify } from '../../src/hashes/classify.ts'
import type { HashContext } from '../../src/hashes/context.ts'
import { HashError } from '../../src/hashes/format.ts'
import { isHardened, opened, sealed } from '../../src/hashes/hardened-text.ts'
import type { Vector } from '../hashes/vectors.ts'
import { HARDENING_SECRETS, readVectors } from '../hashes/vectors.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { type CsvUser, cheapUsers, loadUsers } from '../helpers/users.ts'

// Every vector as a user of the service. What is compared is the answer of the hook and the recorded outcome.

/** Dearer ones would be most of the time; their checks are the same as those of their cheaper siblings. */
const MOST_MILLIS = 400
const DEARER = 13
/** Two cores, and half a second for the dearest: nobody waits as long as the caller's clock allows. */
const AT_ONCE = 4
const ATTEMPTS = 5
/** More than vectors of any scheme. */
const CHEAP_USERS = 500

/** What is answered in each case, and recorded but for `unavailable`: a key that is not there is an outage of ours. */
const ANSWERS = {
  match: 'VERIFIED',
  mismatch: 'UNVERIFIED',
  'unusable-hash': 'UNVERIFIED',
  unavailable: 'status 503',
} as const
type Outcome = keyof typeof ANSWERS

interface Case extends Vector {
  readonly user: CsvUser
  readonly email: string
  readonly typed: string
  readonly outcome: Outcome
  readonly millis: number
  readonly usable: boolean
}

const cases = readdirSync(new URL('../hashes/vectors/', import.meta.url))
  .flatMap((file) => readVectors(file.replace('.json', '')))
  .filter(({ stored }) => !isNobodys(stored) && isStorable(stored))
  .map(caseOf)
const played = cases.filter(({ millis }) => millis <= MOST_MILLIS)

let db: TestDatabase
let directory: string

beforeAll(async () => {
  db = await testDatabase()
  directory = await mkdtemp(join(tmpdir(), 'carryover-vectors-'))
  // Most users have MD5, so that it is what stands in for the work of hashes that cannot be checked.
  await loadUsers(db.url, [...played.map(({ user }) => user), ...cheapUsers(CHEAP_USERS)])
})
afterAll(async () => {
  await rm(directory, { recursive: true })
  await db.drop()
})

test('few vectors are too dear to be played, each outcome among them', () => {
  expect(cases.length - played.length).toBeLessThanOrEqual(DEARER)
  const counts = { match: 0, mismatch: 0, 'unusable-hash': 0, unavailable: 0 }
  for (const { outcome } of played) counts[outcome] += 1
  expect(counts.match).toBeGreaterThanOrEqual(1_000)
  expect(counts.mismatch).toBeGreaterThanOrEqual(140)
  expect(counts['unusable-hash']).toBeGreaterThanOrEqual(650)
  expect(counts.unavailable).toBe(1)
  expect(played.filter(({ defect }) => defect !== undefined).length).toBeGreaterThanOrEqual(570)
})

test.for(servicesFor(played).map((service, at) => ({ ...service, at })))(
  'every vector gets its verdict and leaves its outcome, service $at',
  { timeout: 180_000 },
  async ({ context, mine }) => {
    const secrets = await mkdtemp(join(directory, 'secrets-'))
    for (const [name, value] of context.secrets) await writeFile(join(secrets, name), value, { mode: 0o600 })
    const service = await startProcess(db.url, {
      HASH_SECRETS_DIR: secrets,
      ALLOW_PLAINTEXT: context.plaintext ? 'on' : 'off',
      THROTTLE_REFUSALS: '1000',
    })
    const post = caller(service.hooksUrl)
    const wrong: string[] = []
    const play = async (one: Case) => {
      const verdict = await signIn(post, one)
      if (verdict !== ANSWERS[one.outcome]) wrong.push(`${one.id}: ${verdict}`)
    }
    await eachOf(mine, play)
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    expect(wrong).toEqual([])
    const recorded = await outcomes()
    const unlike = mine.filter(({ user, outcome }) => (recorded.get(user.id) ?? 'unavailable') !== outcome)
    expect(unlike.map(({ id }) => id)).toEqual([])
  },
)

/** Cisco's password of the device itself, `enable`, is hashed without a name. A user has one. */
function isNobodys({ scheme, login }: StoredHash): boolean {
  return (scheme === 'cisco-asa' || scheme === 'cisco-pix') && login === ''
}

/** PostgreSQL stores no NUL, and the load says so. */
function isStorable({ encoded, scheme, salt }: StoredHash): boolean {
  return ![encoded, scheme, salt].some((text) => text?.includes('\0'))
}

function caseOf(vector: Vector, at: number): Case {
  const { password, expect: expected } = vector
  const { stored, context } = ofRow(vector, `vector-${at}`)
  const classified = classify(stored, context)
  const typed = textOf(password)
  const email = `vector-${at}@vectors.example`
  return {
    ...vector,
    stored,
    context,
    email,
    user: {
      id: `vector-${at}`,
      login: stored.login === '' ? `login-${at}` : stored.login,
      email,
      password_hash: stored.encoded ?? '',
      hash_scheme: stored.scheme ?? '',
      salt: stored.salt ?? '\\N',
    },
    typed: typed ?? '',
    outcome:
      expected && typed !== undefined ? 'match' : classified.usable ? 'mismatch' : failed(classified.defect),
    millis: classified.usable ? classified.read.millis : 0,
    usable: classified.usable,
  }
}

function failed(defect: Defect): Outcome {
  return defect === 'missing-secret' ? 'unavailable' : 'unusable-hash'
}

/** A hardened hash is sealed for the row that it stands in. One that does not open stays as it is. */
function ofRow({ stored, context }: Vector, id: string): Pick<Vector, 'stored' | 'context'> {
  const { encoded } = stored
  if (encoded === null || context.hardening === undefined || !isHardened(encoded)) return { stored, context }
  const withKey = { ...context, secrets: HARDENING_SECRETS }
  try {
    const hardened = opened(encoded, stored.id, context.hardening.keys)
    return { stored: { ...stored, id, encoded: sealed(hardened, id) }, context: withKey }
  } catch (error) {
    if (!(error instanceof HashError)) throw error
    return { stored: { ...stored, id }, context: withKey }
  }
}

/** What a person can have typed: nothing empty, no more than 4 KiB, and nothing that is not Unicode. */
function textOf(password: Buffer): string | undefined {
  const text = password.toString('utf8')
  const typable = Buffer.from(text).equals(password) && password.length > 0 && password.length <= 4096
  return typable ? text : undefined
}

interface Service {
  readonly context: HashContext
  readonly mine: readonly Case[]
}

/** A service has one secret of a name, and vectors have several, or none: few services that play all of them. */
function servicesFor(all: readonly Case[]): readonly Service[] {
  const services: Service[] = []
  const contexts = new Map(all.map((one) => [settingsOf(one), one.context]))
  for (const [key, context] of contexts) {
    const one = { context, mine: all.filter((each) => settingsOf(each) === key) }
    const at = services.findIndex((service) => fits(joined(service, one)))
    const known = services[at]
    if (known) services[at] = joined(known, one)
    else services.push(one)
  }
  return services
}

/** The same for vectors that need the same of a service. */
function settingsOf({ context: { secrets, plaintext } }: Vector): string {
  return JSON.stringify([[...secrets].map(([name, value]) => [name, value.toString('hex')]), plaintext])
}

function joined(one: Service, other: Service): Service {
  const secrets = new Map([...one.context.secrets, ...other.context.secrets])
  return { context: { ...one.context, secrets }, mine: [...one.mine, ...other.mine] }
}

/** Nobody's secret is another one, and nobody has one who is to have none. */
function fits({ context, mine }: Service): boolean {
  return mine.every(
    ({ stored, context: own, usable }) =>
      own.plaintext === context.plaintext &&
      [...own.secrets].every(([name, value]) => context.secrets.get(name)?.equals(value)) &&
      classify(stored, context).usable === usable,
  )
}

/** The verdict, asked for again while the service has too much to do. */
async function signIn(post: ReturnType<typeof caller>, { email, typed }: Case): Promise<string> {
  // The passwords are public, and some are the stored hash itself: they are no canaries.
  const body = passwordImport(email, '')
  body.data.context.credential.password = typed
  for (let attempt = 1; ; attempt += 1) {
    const { status, json } = await post('/okta/password-import', body)
    if (status === 200) return json.commands[0].value.credential
    if (attempt === ATTEMPTS) return `status ${status}`
    await new Promise((waited) => setTimeout(waited, 200 * attempt))
  }
}

/** A few at once. */
async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

async function outcomes(): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.owner.query<{ user_id: string; verdict: string }>(
    'select user_id, verdict from carryover.outcomes where user_id is not null',
  )
  return new Map(rows.map(({ user_id, verdict }) => [user_id, verdict]))
}
