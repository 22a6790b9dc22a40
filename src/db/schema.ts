import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  customType,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from 'drizzle-orm/pg-core'

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })
const moment = (name: string) => timestamp(name, { withTimezone: true })

export const legacy = pgSchema('legacy')
export const carryover = pgSchema('carryover')

/**
 * The copy of the old store. Written by `carryover load` alone, or not a table at all but a view that the
 * operator made. The service only reads it, by name, through `carryover.find_users`.
 */
export const legacyUsers = legacy.table('users', {
  id: text('id').primaryKey(),
  login: text('login').notNull(),
  email: text('email'),
  passwordHash: text('password_hash'),
  hashScheme: text('hash_scheme'),
  salt: text('salt'),
  status: text('status').notNull().default('active'),
  cohort: text('cohort').notNull().default('default'),
  profile: jsonb('profile').notNull().default({}),
  updatedAt: moment('updated_at').notNull().defaultNow(),
})

/**
 * The ledger: one row a user with its migration state. Rows are added and reclassified by `load` and `sync`;
 * the state is moved only by `carryover.record_outcomes` and `carryover.confirm_users`, and only forwards.
 */
export const ledger = carryover.table(
  'users',
  {
    userId: text('user_id').primaryKey(),
    state: text('state', { enum: ['unmigrated', 'verified', 'migrated'] })
      .notNull()
      .default('unmigrated'),
    cohort: text('cohort').notNull(),
    scheme: text('scheme').notNull(),
    /** Whether the stored hash can be checked at all. */
    usable: boolean('usable').notNull(),
    verifiedAt: moment('verified_at'),
    migratedAt: moment('migrated_at'),
    /** Set once by `load`; a deleted user is never found and never counted again. */
    deletedAt: moment('deleted_at'),
    /** Set once, in the transaction that takes hash and salt out of the copy: no load brings them back. */
    purgedAt: moment('purged_at'),
  },
  (t) => [
    check('users_state', sql`${t.state} in ('unmigrated', 'verified', 'migrated')`),
    // Whose hash is still to be purged. Without the state, so that a sign-in changes no indexed column.
    index('users_unpurged')
      .on(t.migratedAt)
      .where(sql`${t.migratedAt} is not null and ${t.purgedAt} is null and ${t.deletedAt} is null`),
  ],
)

/**
 * Every verdict, admission and confirmation, in the order in which they became true. Append-only: triggers refuse
 * everything but inserts and the forgetting of a person.
 */
export const outcomes = carryover.table(
  'outcomes',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    at: moment('at').notNull().default(sql`clock_timestamp()`),
    dialect: text('dialect').notNull(),
    hook: text('hook').notNull(),
    userId: text('user_id'),
    /** For a login that nobody in the copy has: a keyed digest, never the login. */
    loginDigest: bytea('login_digest'),
    verdict: text('verdict').notNull(),
    scheme: text('scheme'),
    millis: integer('millis').notNull(),
    requestId: text('request_id'),
    /** Random. With it `user_ref` says whose the outcome is; when a person is forgotten, this and `user_id` become null. */
    userSalt: bytea('user_salt'),
    /** SHA-256 of salt and id: what the chain holds in place of the id. */
    userRef: bytea('user_ref'),
    chain: bigint('chain', { mode: 'number' }).notNull(),
    /** From 1, without gaps in a chain. */
    place: bigint('place', { mode: 'number' }).notNull(),
    /** SHA-256 of the link before it and of this outcome. */
    link: bytea('link').notNull(),
  },
  (t) => [
    index('outcomes_user').on(t.userId, t.id),
    index('outcomes_login').on(t.loginDigest, t.id).where(sql`${t.loginDigest} is not null`),
  ],
)

/**
 * The record's chains by hash: one for each lane of each run of a process, so that nobody waits for another's link. A
 * removed or altered outcome breaks its chain; `carryover audit verify` says where.
 */
export const chains = carryover.table(
  'chains',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    run: uuid('run').notNull(),
    lane: integer('lane').notNull(),
    startedAt: moment('started_at').notNull().default(sql`clock_timestamp()`),
    length: bigint('length', { mode: 'number' }).notNull().default(0),
    /** The newest link. */
    head: bytea('head').notNull(),
    /** Refusals that this chain took in within the current window: their sum over the chains bounds guessing overall. */
    windowStart: moment('window_start'),
    refusals: bigint('refusals', { mode: 'number' }).notNull().default(0),
  },
  (t) => [
    unique('chains_run_lane').on(t.run, t.lane),
    index('chains_window').on(t.windowStart).where(sql`${t.windowStart} is not null`),
  ],
)

/**
 * What `/counts` reads: kept in the transaction that changes a ledger row, so exact at every moment.
 * `total` is the sum of the three states.
 */
export const counts = carryover.table(
  'counts',
  {
    cohort: text('cohort').notNull(),
    scheme: text('scheme').notNull(),
    unmigrated: bigint('unmigrated', { mode: 'number' }).notNull().default(0),
    verified: bigint('verified', { mode: 'number' }).notNull().default(0),
    migrated: bigint('migrated', { mode: 'number' }).notNull().default(0),
    /** Those of the unmigrated whose stored hash nothing here can check. */
    unverifiable: bigint('unverifiable', { mode: 'number' }).notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.cohort, t.scheme] })],
)

/** Refusals within the current window, for throttling. Written by `carryover.record_outcomes`. */
export const refusals = carryover.table(
  'refusals',
  {
    /** `user:<id>`, or `login:<hex digest>` for a login that nobody has. */
    subject: text('subject').primaryKey(),
    windowStart: moment('window_start').notNull(),
    refusals: integer('refusals').notNull(),
  },
  (t) => [index('refusals_window').on(t.windowStart)],
)

/** Event ids of confirmations that have been taken in: the same event twice is one. */
export const confirmedEvents = carryover.table('confirmed_events', {
  eventId: text('event_id').primaryKey(),
  at: moment('at').notNull().default(sql`clock_timestamp()`),
})

/**
 * What `carryover probe` found about accounts whose passwords are known: never a password. Append-only, like the outcomes;
 * only the owner reads and writes it.
 */
export const probes = carryover.table('probes', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  at: moment('at').notNull().default(sql`clock_timestamp()`),
  userId: text('user_id').notNull(),
  cohort: text('cohort').notNull(),
  /** What the hash was read as. */
  scheme: text('scheme').notNull(),
  matched: boolean('matched').notNull(),
  /** Where it did not match: the variant that did, as `hash_scheme` or in words. */
  found: text('found'),
})

/**
 * Users who were erased at their request: a keyed digest of the id, which no load brings back, and nothing else of them.
 * Written by `carryover erase`; only the owner reads it.
 */
export const erased = carryover.table('erased', {
  idDigest: bytea('id_digest').primaryKey(),
  at: moment('at').notNull().default(sql`clock_timestamp()`),
})

/** One row, made by the first migration: the key of the digests of unknown logins. No role but the owner reads it. */
export const installation = carryover.table(
  'installation',
  {
    one: boolean('one').primaryKey().default(true),
    loginKey: bytea('login_key').notNull(),
  },
  (t) => [check('installation_one', sql`${t.one}`)],
)
