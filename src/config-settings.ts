// Every setting: type, default, purpose. What is made of them is in config.ts.
import { addressRanges } from './callers/addresses.ts'
import type { SettingFiles } from './setting-files.ts'
import {
  address,
  databaseUrl,
  floorMillis,
  formList,
  list,
  Misfit,
  oneOf,
  sourceUrl,
  whole,
} from './setting-texts.ts'
import { type Setting, secretFileMode } from './settings-reader.ts'

const NO_SECRETS: ReadonlyMap<string, Buffer> = new Map()

/** The text of a file that a path names. Empty: not set. */
const file = (path: string, files: SettingFiles) => (path === '' ? '' : files.text(path))

/** Likewise, where an empty file is a wrong one: without its PEM less would be asked of callers. */
const pemFile = (path: string, files: SettingFiles) => (path === '' ? '' : filled(files.text(path)))
const secretPemFile = (path: string, files: SettingFiles) => (path === '' ? '' : filled(files.secret(path)))

function filled(pem: string): string {
  if (pem.trim() === '') throw new Misfit('the path of a file that is not empty', 'empty')
  return pem
}

/** Every setting that is of no dialect and no target. */
export const commonSettings = {
  DATABASE_URL: {
    read: databaseUrl,
    secret: true,
    purpose:
      'PostgreSQL 14 or newer, as the owner. The service itself acts as carryover_hooks, carryover_admin and carryover_purge.',
  },
  HOOKS_DATABASE_URL: {
    read: databaseUrl,
    secret: true,
    purpose:
      'An account that has the role carryover_hooks, for the hooks listener. Default: DATABASE_URL, narrowed to that role.',
  },
  ADMIN_DATABASE_URL: {
    read: databaseUrl,
    secret: true,
    purpose:
      'An account that has the role carryover_admin, for the admin listener. Default: DATABASE_URL, narrowed to that role.',
  },
  PURGE_DATABASE_URL: {
    read: databaseUrl,
    secret: true,
    purpose:
      'An account that has the role carryover_purge, for the scheduled purge. Default: DATABASE_URL, narrowed to that role.',
  },
  SOURCE_DATABASE_URL: {
    read: sourceUrl,
    secret: true,
    purpose:
      "The old system's database, PostgreSQL, MySQL or MariaDB, for `load --from`: an account that can only read.",
  },
  HOOKS_LISTEN: { read: address, default: '0.0.0.0:8080', purpose: 'Where identity providers call.' },
  ADMIN_LISTEN: { read: address, default: '127.0.0.1:8081', purpose: 'Where people and machines look.' },
  ADMIN_TOKENS: {
    read: list(32),
    secret: true,
    purpose: 'Comma-separated bearer tokens of the admin listener, 32 characters or more each.',
  },
  RECIPES_FILE: {
    read: file,
    default: '',
    fixed: true,
    purpose: 'A file of lines `name = recipe`: names that `hash_scheme` may use. See docs/schemes.md.',
  },
  HASH_SECRETS_DIR: {
    read: (path: string, files: SettingFiles) => (path === '' ? NO_SECRETS : files.secrets(path)),
    default: '',
    fixed: true,
    purpose:
      "A directory whose files are secrets that recipes use: the file `pepper` is `$pepper`, the file `NAME` is `$secret_NAME`. A final line break does not count. `hardening_key`, and after a change `hardening_key_previous`, are the keys of hardened hashes and no recipe's. See docs/harden.md.",
  },
  HARDEN_MEMORY_KIB: {
    read: whole(8, 1_048_576),
    default: '19456',
    purpose:
      'Memory of the Argon2id that `harden` and `load --harden` put around a weak hash. With the two next ones the least that OWASP names: about 14 ms of a core at each sign-in. Hashes that are hardened already keep their cost.',
  },
  HARDEN_PASSES: { read: whole(1, 10), default: '2', purpose: 'Its passes over that memory.' },
  HARDEN_LANES: { read: whole(1, 16), default: '1', purpose: 'Its lanes.' },
  CANDIDATE_SCHEMES_FILE: {
    read: file,
    default: '',
    fixed: true,
    purpose:
      'A file of lines `COHORT = scheme, scheme`, with at most five schemes or recipes and `*` for every other cohort: what bare digests are tried as whose rows name no scheme. They are recorded as `candidates`. Set it for `load` and `sync` too.',
  },
  PASSWORD_FORMS: {
    read: formList,
    default: 'as-sent',
    purpose:
      'Comma-separated: `as-sent`, `nfc`, `nfkc`. In which Unicode forms a password is tried, in this order, until one matches. A form counts only where its bytes differ, so passwords in ASCII never cost more; another one may cost a check for each form. For a store that normalised what it hashed.',
  },
  ALLOW_PLAINTEXT: {
    read: oneOf('off', 'on'),
    default: 'off',
    purpose:
      'Whether stored passwords that are no hashes may be compared: where `hash_scheme` is `plaintext`, or `password_hash` begins with `{noop}`, `{PLAIN}` or `{CLEARTEXT}`. Set it for `load` and `sync` too.',
  },
  CHECK_THREADS: {
    read: whole(1, 64),
    default: 'cores',
    purpose: 'Threads that check passwords.',
  },
  CHECK_MEMORY_MIB: {
    read: whole(64, 65_536),
    default: '512',
    purpose:
      'What the Argon2 and scrypt checks that run at the same time may take together. A hash that needs more is `too-costly`. Set it for `load` and `sync` too.',
  },
  THROTTLE_REFUSALS: {
    read: whole(1, 1000),
    default: '10',
    purpose:
      'Refusals of one login within the window after which attempts are refused unchecked. Ten: a person who mistypes needs fewer, a guesser learns nothing from ten.',
  },
  THROTTLE_OVERALL_REFUSALS: {
    read: whole(100, 100_000_000),
    default: '100000',
    purpose:
      'Refusals of all logins together within the window, by all processes, after which every attempt is refused unchecked until the window is over. It bounds guessing that is spread over many logins. Well above what wrong passwords of the busiest hour come to, or a guesser could keep everybody out.',
  },
  THROTTLE_WINDOW_SECONDS: {
    read: whole(1, 86_400),
    default: '900',
    purpose:
      'Length of that window. It begins with the first refusal and is never extended, so nobody is locked out for good.',
  },
  REFUSAL_FLOOR_MS: {
    read: floorMillis,
    default: 'auto',
    purpose:
      'Milliseconds after the start of a call at which a no goes out, whichever it is: `auto`, `off`, or 10 to 2000. What takes longer goes out at the next multiple. `auto` follows what a check of the most common scheme takes here, in steps of 50. See docs/enumeration.md.',
  },
  REFUSALS_HIGH_PERCENT: {
    read: whole(1, 100),
    default: '20',
    purpose:
      'When more than this part of the attempts of five minutes is refused, and they are a hundred or more, `refusals-high` is logged once and `carryover_refusals_high` is 1. Twenty: guessers are mostly wrong, people mostly right; raise it where first sign-ins are mistyped more often.',
  },
  MIGRATED_GRACE_SECONDS: {
    read: whole(0, 31_536_000),
    default: '3600',
    purpose:
      'How long after the confirmation the old password is still accepted. An hour: a provider in read-only mode, and calls that overtook the confirmation, ask again within minutes.',
  },
  VERIFIED_GRACE_SECONDS: {
    read: whole(0, 31_536_000),
    default: '86400',
    purpose:
      'Likewise after the first right password, for providers that never confirm anything. A day: a sign-in that broke off is repeated within it, and a provider that goes on asking for ever must not replace a newer password by the old one.',
  },
  PURGE_AFTER_SECONDS: {
    read: whole(0, 31_536_000),
    default: '82800',
    purpose:
      'How long after the confirmation of a migration the stored hash may be purged, but never before MIGRATED_GRACE_SECONDS have passed. 23 hours: with a purge every hour, no hash outlives its use by more than a day.',
  },
  PURGE_EVERY_SECONDS: {
    read: whole(0, 86_400),
    default: '3600',
    purpose:
      'How often `serve` purges the hashes of migrated users. 0: only `carryover purge` does. See docs/forgetting.md.',
  },
  PURGE_VERIFIED: {
    read: oneOf('off', 'on'),
    default: 'off',
    purpose:
      'Whether users whose migration nobody confirmed are purged too, once their first right password is longer ago than VERIFIED_GRACE_SECONDS and PURGE_AFTER_SECONDS. For providers that never confirm: a user whose password the provider did not keep after all can then only reset it. `serve` needs a grant for it: see docs/forgetting.md.',
  },
  DIAGNOSE_MISMATCHES: {
    read: oneOf('off', 'on'),
    default: 'off',
    purpose:
      'Whether a sample of wrong passwords is tried in usual variants after the answer has gone out, and only counted: in `carryover_mismatch_variants_total` and in `/counts`. It changes no answer. Hashes of a millisecond or more are left out.',
  },
  DIAGNOSE_PER_MINUTE: {
    read: whole(1, 3_000),
    default: '60',
    purpose: 'Wrong passwords that are diagnosed in a minute, at most.',
  },
  HOOKS_ALLOW: {
    read: addressRanges,
    default: '',
    purpose:
      'Comma-separated addresses and ranges, as `192.0.2.0/24` or `2001:db8::/32`, that identity providers call from. Whoever calls from elsewhere is a stranger, whatever they prove. Default: from everywhere.',
  },
  TRUSTED_PROXY_HOPS: {
    read: whole(0, 16),
    default: '0',
    purpose:
      'Proxies between the internet and the hooks listener, each of which adds to X-Forwarded-For the address that it was called from. `HOOKS_ALLOW` looks at the entry that is as many places from the right; with 0 at the connection itself.',
  },
  MAX_CONNECTIONS: {
    read: whole(1, 65_535),
    default: '2048',
    purpose:
      'Connections that the hooks listener has open at the same time; more are closed at once. 2,048: that many sign-ins at once are each told a verdict or that it is too many, which a closed connection does not say, and their headers and bodies are 144 MiB at most.',
  },
  MAX_CONNECTIONS_PER_ADDRESS: {
    read: whole(0, 65_535),
    default: '0',
    purpose:
      'Likewise of one address; 64 is enough where providers call directly. 0: no such limit, because behind a load balancer all connections come from its address.',
  },
  TLS_CERT_FILE: {
    read: pemFile,
    default: '',
    purpose:
      'PEM certificate chain, if the hooks listener ends TLS itself. This file and the next two are followed, and used for new connections: see docs/secrets.md.',
  },
  TLS_KEY_FILE: { read: secretPemFile, default: '', purpose: 'PEM private key that belongs to it.' },
  TLS_CLIENT_CA_FILE: {
    read: pemFile,
    default: '',
    purpose:
      'PEM certificates of the authorities that sign client certificates. Clients are then asked for one; who needs one is said by the settings `..._CLIENT_SUBJECTS`.',
  },
  RECONCILE_EVERY_SECONDS: {
    read: whole(0, 86_400),
    default: '300',
    purpose:
      'How often `serve` reads the log of a provider for which `..._RECONCILE_...` is set, for confirmations that never came or came twice. 0: never. See docs/reconcile.md.',
  },
  RECONCILE_SINCE_DAYS: {
    read: whole(1, 90),
    default: '7',
    purpose:
      'Where the first reading of such a log begins, in days before it. The provider has to keep them that long.',
  },
  SECRET_FILE_MODE: secretFileMode,
  SHUTDOWN_DELAY_SECONDS: {
    read: whole(0, 60),
    default: '0',
    purpose:
      'How long the hooks listener goes on taking calls after SIGTERM, while `/readyz` already says 503: for load balancers that need that long to look elsewhere. 0: it stops at once.',
  },
  LOG_LEVEL: {
    read: oneOf('debug', 'info', 'warn', 'error'),
    default: 'info',
    purpose: 'The least important events that are logged.',
  },
} as const satisfies Record<string, Setting<unknown>>
