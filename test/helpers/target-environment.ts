import { expect } from 'vitest'
import { planFor } from '../../src/commands/plan.ts'
import type { TargetKind } from '../../src/targets/target.ts'
import { heard } from './io.ts'

/** A simulated target, as the settings name it. */
interface Simulated {
  readonly url: string
  /** PEM of the authority that issued its certificate. */
  readonly ca: string
  /** null: it asks for none. */
  readonly token: string | null
}

/** What a command needs to plan for, and to bring users to, a target that runs here. */
export async function targetEnvironment(
  target: string,
  { url, ca, token }: Simulated,
  databaseUrl: string,
  files: { file(name: string, content: string): Promise<string> },
): Promise<Record<string, string>> {
  const prefix = `${target.toUpperCase()}_PROVISION`
  return {
    DATABASE_URL: databaseUrl,
    [`${prefix}_URL`]: url,
    [`${prefix}_TOKEN_FILE`]: await files.file('token', token ?? ''),
    SECRET_FILE_MODE: '0444',
    OUTBOUND_CA_FILE: await files.file('ca.pem', ca),
    OUTBOUND_ALLOW_ADDRESSES: '127.0.0.0/8',
  }
}

/** The id of a plan that is made away from the network. */
export async function plannedOffline(
  kind: TargetKind,
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<string> {
  const { code, out, err } = await heard(
    (io) => planFor([kind]).run([kind.name, '--offline', '--json', ...args], io),
    { env },
  )
  expect(code, err).toBe(0)
  return JSON.parse(out).plan
}
