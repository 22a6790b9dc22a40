import { type HeldSecret, sharedSecrets } from '../secret-strength.ts'
import { type Finding, fine, problem, warning } from './finding.ts'

/** Secrets that open two doors: one of ours that is a database password too. Every other pair `serve` refuses. */
export function checkSecrets(secrets: readonly HeldSecret[]): Finding[] {
  const shared = sharedSecrets(secrets)
  if (shared.length === 0) return [fine('secrets', 'No secret is short and none is used twice.')]
  return shared.map(([setting, other]) =>
    problem(
      'secrets',
      `The same secret stands in ${setting} and ${other} alike: whoever has the one has the other.`,
      'Give each a secret of its own.',
    ),
  )
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
