import { type Finding, fine, problem, warning } from './finding.ts'

/** One value of a setting that must stay secret. */
export interface HeldSecret {
  readonly setting: string
  readonly value: string
  /** Whether its length is ours to judge: a database account may be guarded by more than its password. */
  readonly judged: boolean
}

/**
 * Characters, without the word before it (`Bearer`). 16 characters of base64 are 96 bits; what people think up is shorter.
 */
const SHORT_SECRET = 16

/** Secrets that can be guessed, and those that open two doors. */
export function checkSecrets(secrets: readonly HeldSecret[]): Finding[] {
  const known = secrets.map(({ value, ...secret }) => ({ ...secret, bare: bareSecret(value) }))
  const short = [
    ...new Set(
      known.filter(({ bare, judged }) => judged && bare.length < SHORT_SECRET).map((one) => one.setting),
    ),
  ]
  const shared = new Set<string>()
  for (const [at, { setting, bare }] of known.entries())
    for (const other of known.slice(at + 1))
      if (bare === other.bare)
        shared.add(setting === other.setting ? `${setting} twice` : `${setting} and ${other.setting} alike`)
  const found = [
    ...short.map((setting) =>
      problem(
        'secrets',
        `${setting} holds a secret of fewer than ${SHORT_SECRET} characters, which can be guessed.`,
        'Make another one: openssl rand -base64 32.',
      ),
    ),
    ...[...shared].map((where) =>
      problem(
        'secrets',
        `The same secret stands in ${where}: whoever has the one has the other.`,
        'Give each a secret of its own.',
      ),
    ),
  ]
  return found.length > 0 ? found : [fine('secrets', 'No secret is short and none is used twice.')]
}

/** What is secret of a complete Authorization header: the token, or the password of Basic. */
function bareSecret(value: string): string {
  const [, word = '', rest = ''] = /^(Bearer|Basic) +(?! )(.+)$/i.exec(value) ?? []
  if (word === '') return value
  if (word.toLowerCase() === 'bearer') return rest
  const pair = Buffer.from(rest, 'base64').toString('utf8')
  return pair.includes(':') ? pair.slice(pair.indexOf(':') + 1) : rest
}

/**
 * Who can ask.
 * @param mentioned providers of which some setting is set
 */
export function checkProviders(
  known: readonly { readonly name: string; readonly title: string }[],
  configured: ReadonlySet<string>,
  mentioned: ReadonlySet<string>,
): Finding[] {
  const titles = (holds: (name: string) => boolean) =>
    known.filter(({ name }) => holds(name)).map(({ title }) => title)
  const active = titles((name) => configured.has(name))
  const silent = titles((name) => !configured.has(name) && mentioned.has(name))
  const absent = titles((name) => !configured.has(name) && !mentioned.has(name))
  return [
    ...silent.map((title) =>
      warning(
        'providers',
        `${title} has settings and no secret, so it is not answered.`,
        'Set its secret, or take its other settings away.',
      ),
    ),
    ...(active.length > 0 ? [fine('providers', `${active.join(', ')}: can ask.`)] : []),
    ...(absent.length > 0
      ? [fine('providers', `${absent.join(', ')}: not configured, so not answered.`)]
      : []),
  ]
}

/** Tokens travel as they are where a listener has no TLS. */
export function checkListeners(adminHost: string, hooksHost: string, tls: boolean): Finding[] {
  const admin = isLocal(adminHost)
    ? fine('listeners', 'The admin listener is reached from this machine alone.')
    : warning(
        'listeners',
        'The admin listener is reached from other machines and has no TLS: its tokens travel in clear.',
        'Set ADMIN_LISTEN to a loopback address, or keep that network to yourself.',
      )
  const hooks =
    tls || isLocal(hooksHost)
      ? []
      : [
          warning(
            'listeners',
            'The hooks listener has no TLS, and passwords arrive in clear unless something before it ends TLS.',
            'End TLS at the load balancer on a network of your own, or set TLS_CERT_FILE and TLS_KEY_FILE.',
          ),
        ]
  return [admin, ...hooks]
}

/** The server that `--embedded` and the demo bring lies beside the service and is nobody's to back up. */
export function checkEmbedded(urls: readonly string[]): Finding[] {
  return urls.some((url) => url.includes('carryover-pg-'))
    ? [
        warning(
          'database',
          'The database is the embedded server, which goes with this machine.',
          'In production use a PostgreSQL that is backed up.',
        ),
      ]
    : []
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host)
}
