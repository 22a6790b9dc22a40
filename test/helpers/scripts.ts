import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createContext, runInContext } from 'node:vm'

/** What came of a script that was asked whether a password is right, or who has a name. */
export type Ran =
  | { readonly outcome: 'yes'; readonly result: unknown }
  /** `said`: the words that reach the user or the provider's log. */
  | { readonly outcome: 'no' | 'error'; readonly said: string }

/** What a script is configured with in the provider's console. */
export type Configured = Readonly<Record<string, string>>

/** One script, as its provider runs it. `login`: of which `identifier`, with which `password`; null: it gets none. */
export type Script = (configured: Configured, login: string, password: string | null) => Promise<Ran>

/** What the runtimes that are Node's have besides. */
const node = { require: createRequire(import.meta.url), Buffer }

const SCRIPTS = new URL('../../docs/scripts/', import.meta.url)
const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../dialects/fixtures/${name}.json`, import.meta.url), 'utf8'))

/** The value of a script's last line, where nothing is known but what the provider gives it. */
function evaluate(file: string, last: string, given: Record<string, unknown>): unknown {
  const text = readFileSync(new URL(file, SCRIPTS), 'utf8')
  return runInContext(`${text}\n;${last}`, createContext(given))
}

/** Results come from another realm, and go to the provider as JSON. */
const asJson = (value: unknown) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))

class WrongUsernameOrPasswordError extends Error {
  readonly subject: unknown
  constructor(subject: unknown, message: string) {
    super(message)
    this.subject = subject
  }
}

type Callback = (error: Error | null, profile?: unknown) => void

function auth0(file: string, name: string): Script {
  return async (configuration, login, password) => {
    const script = evaluate(file, name, {
      ...node,
      configuration,
      fetch,
      AbortSignal,
      WrongUsernameOrPasswordError,
    }) as (...args: unknown[]) => Promise<void>
    const called: Ran[] = []
    const callback: Callback = (error, profile) => {
      if (error instanceof WrongUsernameOrPasswordError)
        called.push({ outcome: 'no', said: `${error.message} ${error.subject ? 'fp' : 'fu'}` })
      else if (error) called.push({ outcome: 'error', said: error.message })
      else if (profile) called.push({ outcome: 'yes', result: asJson(profile) })
      else called.push({ outcome: 'no', said: 'nobody' })
    }
    await script(...[login, password].filter((one) => one !== null), callback)
    const [ran, ...more] = called
    if (ran === undefined || more.length > 0)
      throw new Error(`the callback was called ${called.length} times`)
    return ran
  }
}

/** A trigger says no by an error, which every other error looks like. */
function cognito(file: string, eventOf: (login: string, password: string | null) => unknown): Script {
  return async (configured, login, password) => {
    Object.assign(process.env, configured)
    try {
      const { handler } = await import(new URL(file, SCRIPTS).href)
      return { outcome: 'yes', result: asJson(await handler(eventOf(login, password))) }
    } catch (error) {
      const said = error instanceof Error ? error.message : ''
      return { outcome: said.includes('temporarily') ? 'error' : 'no', said }
    } finally {
      for (const name of Object.keys(configured)) delete process.env[name]
    }
  }
}

const migrationEvent = (login: string, password: string | null) => {
  const event = fixture('cognito.user-migration.event')
  event.userName = login
  if (password !== null) return { ...event, request: { ...event.request, password } }
  const { password: _, ...request } = event.request
  return { ...event, triggerSource: 'UserMigration_ForgotPassword', request }
}

export const signUpEvent = (email: string, triggerSource = 'PreSignUp_SignUp') => {
  const event = fixture('cognito.pre-sign-up.event')
  return { ...event, triggerSource, request: { ...event.request, userAttributes: { email } } }
}

const onelogin: Script = async (env, login, password) => {
  const given = { ...node, exports: {}, process: { env }, fetch, AbortSignal }
  const handler = evaluate('onelogin/user-migration.js', 'exports.handler', given) as (
    context: unknown,
  ) => Promise<{ success: boolean }>
  const context = { ...fixture('onelogin.user-migration.context'), user_identifier: login, password }
  const result = asJson(await handler(context))
  return result.success === true
    ? { outcome: 'yes', result }
    : { outcome: 'no', said: JSON.stringify(result) }
}

function logto(sample: string): Script {
  return async (environmentVariables, login, password) => {
    // Nothing else is there: packages/core/src/utils/custom-jwt/local-vm.ts of logto-io/logto.
    const run = evaluate('logto/post-first-factor-verification.js', 'runAction', { fetch }) as (
      given: unknown,
    ) => Promise<unknown>
    const event = { ...fixture(`logto.event.${sample}`), password }
    event.identifier.value = login
    try {
      const result = asJson(await run({ event, environmentVariables }))
      return result === undefined ? { outcome: 'no', said: '' } : { outcome: 'yes', result }
    } catch (error) {
      return { outcome: 'error', said: (error as Error).message }
    }
  }
}

export const withPassword = {
  'auth0 login': auth0('auth0/login.js', 'login'),
  'cognito user migration': cognito('cognito/user-migration.mjs', migrationEvent),
  'onelogin user migration': onelogin,
  'logto, nobody yet': logto('unknown-user'),
  'logto, somebody': logto('existing-user'),
} satisfies Record<string, Script>

export const withoutPassword = {
  'auth0 get user': auth0('auth0/getUser.js', 'getByEmail'),
  'cognito forgotten password': cognito('cognito/user-migration.mjs', migrationEvent),
  'cognito sign-up': cognito('cognito/pre-sign-up.mjs', (login) => signUpEvent(login)),
  'cognito sign-up by an administrator': cognito('cognito/pre-sign-up.mjs', (login) =>
    signUpEvent(login, 'PreSignUp_AdminCreateUser'),
  ),
} satisfies Record<string, Script>
