import { type Config, ConfigError, readConfig } from '../config.ts'
import { dialects } from '../dialects/index.ts'
import { checkCertificate } from '../doctor/certificate.ts'
import { type Finding, problem, several, warning, worstFirst } from '../doctor/finding.ts'
import { checkEmbedded, checkListeners, checkProviders, checkSecrets } from '../doctor/settings.ts'
import { hashContextOf } from '../hash-context.ts'
import { bareSecret, type HeldSecret } from '../secret-strength.ts'
import type { Command, Io } from './command.ts'
import { examineDatabase, settingOf } from './doctor-database.ts'
import { printable, readOptions, table } from './options.ts'

export const doctor: Command = {
  name: 'doctor',
  synopsis: '[--json]',
  summary: 'what would go wrong with these settings and this database',
  help: `Reads the settings of serve and looks at the database; changes nothing. Give it the environment of serve, and DATABASE_URL
besides, as the owner: what the accounts of the service may not see is left out without it.
--json   one JSON object: {"problems", "warnings", "findings": [{"check", "level", "says", "todo"}]}
Exit 1 while there are problems. docs/doctor.md lists what is looked at.`,
  run: async (args, io) => {
    const { values } = readOptions(args, { json: { type: 'boolean' } })
    const findings = worstFirst(await examine(io))
    const count = (level: Finding['level']) => findings.filter((one) => one.level === level).length
    const [problems, warnings] = [count('problem'), count('warning')]
    if (values.json) io.out(`${JSON.stringify({ problems, warnings, findings })}\n`)
    else
      io.out(
        `${findingsText(findings)}\n\n${several(problems, 'problem')}, ${several(warnings, 'warning')}\n`,
      )
    return problems > 0 ? 1 : 0
  },
}

async function examine(io: Io): Promise<Finding[]> {
  const config = readSettings(io)
  if (Array.isArray(config)) return config
  const { tls, adminListen, hooksListen } = config
  const urls = [config.hooksDatabase.url, config.adminDatabase.url]
  return [
    ...config.warnings.map((line) =>
      warning('settings', sentence(line), 'docs/settings.md says what each setting means.'),
    ),
    ...checkProviders(dialects, new Set(config.dialects.keys()), mentionedIn(io.env)),
    ...checkSecrets(secretsOf(config)),
    ...checkListeners(adminListen.host, hooksListen.host, tls !== undefined),
    ...(tls === undefined ? [] : checkCertificate(tls, new Date())),
    ...checkEmbedded(urls),
    ...(await examineDatabase(config, io.env)),
  ]
}

/** What `serve` would stop at. Nothing else can be said before that is mended. */
function readSettings({ env }: Io): Config | Finding[] {
  try {
    const config = readConfig(env)
    hashContextOf(config.hashes)
    return config
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [, ...lines] = error.message.split('\n')
    return lines.map((line) =>
      problem('settings', sentence(line), 'serve does not start before; the rest was not looked at.'),
    )
  }
}

/** Settings are told without a full stop, and one ends in an ellipsis. */
function sentence(line: string): string {
  return line.endsWith('.') ? line.trim() : `${line.trim()}.`
}

/** Dialects of which any setting is set. */
function mentionedIn(environment: Io['env']): ReadonlySet<string> {
  const set = Object.keys(environment).filter((name) => environment[name])
  return new Set(
    dialects
      .filter(({ name }) => set.some((variable) => variable.startsWith(`${name.toUpperCase()}_`)))
      .map(({ name }) => name),
  )
}

function secretsOf({
  adminTokens,
  dialects: configured,
  hooksDatabase,
  adminDatabase,
  purge,
}: Config): readonly HeldSecret[] {
  const hooks = [...configured].flatMap(([name, { callers }]) =>
    Object.entries(callers.proofs).flatMap(([setting, values]) =>
      textsIn(values).map((value) => ({
        setting: `${name.toUpperCase()}_${setting}`,
        bare: bareSecret(value),
      })),
    ),
  )
  const urls = new Map([
    [settingOf('HOOKS_DATABASE_URL', hooksDatabase), hooksDatabase.url],
    [settingOf('ADMIN_DATABASE_URL', adminDatabase), adminDatabase.url],
    ...(purge ? [[settingOf('PURGE_DATABASE_URL', purge.database), purge.database.url] as const] : []),
  ])
  const passwords = [...urls]
    .map(([setting, url]) => ({ setting, bare: passwordIn(url) }))
    .filter(({ bare }) => bare !== '')
  return [...adminTokens.map((bare) => ({ setting: 'ADMIN_TOKENS', bare })), ...hooks, ...passwords]
}

function textsIn(values: unknown): readonly string[] {
  return Array.isArray(values) ? values.filter((value) => typeof value === 'string') : []
}

/** URL has no place for an account without a host, which is what stands before a socket's directory. */
function passwordIn(url: string): string {
  const [, password = ''] = /^[^/]*\/\/[^:@/?]*:([^@/?]*)@/.exec(url) ?? []
  try {
    return decodeURIComponent(password)
  } catch {
    return ''
  }
}

function findingsText(findings: readonly Finding[]): string {
  return table(
    findings.flatMap(({ level, says, todo }) => [
      [level, printable(says)],
      ...(todo === null ? [] : [['', `-> ${printable(todo)}`]]),
    ]),
  )
}
