import type { PortableHash } from '../portable-hash.ts'
import {
  type Credential,
  type Order,
  type Target,
  TargetError,
  type TargetKind,
  type TargetSettings,
} from './target.ts'

/** Lines that are written and brought to the disk together. */
const BATCH = 1_000

/** OpenID Connect Core 1.0, section 5.1. Under the names that they have. */
const CLAIMS = [
  ...['name', 'given_name', 'family_name', 'middle_name', 'nickname', 'preferred_username', 'profile'],
  ...['picture', 'website', 'email_verified', 'gender', 'birthdate', 'zoneinfo', 'locale', 'phone_number'],
  ...['phone_number_verified', 'address', 'updated_at'],
]

const STANDARD = {
  ...{ id: 'id', login: 'login', email: 'email' },
  ...Object.fromEntries(CLAIMS.map((claim) => [`profile.${claim}`, claim])),
}

const settings = {
  FILE: {
    purpose:
      "The file that the lines go to, readable for its owner alone. Each plan writes one of its own: `users.jsonl` becomes `users.PLAN.jsonl`, with the plan's id.",
    required: true,
  },
} as const satisfies TargetKind['settings']

/** Anything else: one JSON object a line, for a program of the customer's own. docs/provision-generic.md says what is in it. */
export const generic: TargetKind = {
  name: 'generic',
  title: 'JSON Lines',
  settings,
  traits: {
    hook: true,
    // Whoever reads the file knows which of them it can use.
    reads: () => true,
    replacesHash: true,
    updates: true,
    removes: ['deactivate', 'delete'],
    standard: STANDARD,
    attributes: [],
    others: 'taken',
    sameness: [],
    batch: BATCH,
    callsPerBatch: 0,
    needs: () => [
      'Nobody but the reader of the file can read it: it holds password hashes.',
      'The reader can read a line again that it has already seen.',
    ],
  },
  open,
}

function open(given: TargetSettings): Target {
  const { FILE: file } = given
  if (file === undefined || file === '') throw new TargetError('FILE: expected the path of a file')
  return {
    hosts: [],
    authorize: async () => ({ headers: {} }),
    inFlight: 1,
    // Two of them would write into each other's lines.
    processes: 1,
    file,
    examine: async () => [],
    bring: async (orders, context) => {
      await context.append(orders.map(lineOf))
      return { kind: 'each', results: orders.map(({ action }) => ({ kind: DONE[action], targetId: null })) }
    },
    limitOf: () => null,
  }
}

const DONE = { create: 'created', update: 'updated', deactivate: 'removed', delete: 'removed' } as const

/** Without a line feed: JSON writes those of texts as escapes. */
function lineOf({ action, user }: Order): string {
  const { id, login, email, active, attributes, tag } = user
  const credential = credentialOf(user.credential)
  return JSON.stringify({ action, id, login, email, active, attributes, tag, credential })
}

function credentialOf(credential: Credential): object {
  switch (credential.kind) {
    case 'hash':
      return { kind: 'hash', hash: spelled(credential.hash) }
    case 'hook':
    case 'reset':
    case 'keep':
      return { kind: credential.kind }
  }
}

/** The members of the hash as they are, bytes in base64. */
function spelled(hash: PortableHash): object {
  const members = Object.entries(hash).map(([name, value]: [string, unknown]) => [
    name,
    Buffer.isBuffer(value) ? value.toString('base64') : value,
  ])
  return Object.fromEntries(members)
}
