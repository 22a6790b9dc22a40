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
 * the state is moved only by `carryover.record_outcomes` and `carryover.confirm_users`, and only forwards; but for users whose
 * password was changed in the old system afterwards and who are asked for it again: `carryover.settle_password_changes`.
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
    /** Keyed digest of the hash that was purged: a load whose row has another one tells of a password that was changed. */
    purgedHash: bytea('purged_hash'),
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

/** Where users come from. Written by `load --source`: how far a query was read, so that the next one goes on from there. */
export const sources = carryover.table('sources', {
  name: text('name').primaryKey(),
  /** The source's own greatest value of the watermark column, as it writes it. */
  watermark: text('watermark'),
  updatedAt: moment('updated_at').notNull().defaultNow(),
})

/** Which user of the copy a row of a source is. Written by `load --source`; one without a name leaves nothing here. */
export const origins = carryover.table(
  'origins',
  {
    source: text('source').notNull(),
    /** The source's own key. */
    sourceId: text('source_id').notNull(),
    userId: text('user_id').notNull(),
  },
  (t) => [primaryKey({ columns: [t.source, t.sourceId] }), index('origins_user').on(t.userId)],
)

/** The history of loads. One row a run, written as it begins and once more as it ends. */
export const loads = carryover.table('loads', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  source: text('source'),
  /** `csv`, `jsonl`, `ldif`, the name of an export's vendor, or `postgresql` and `mysql`. */
  format: text('format').notNull(),
  /** The file's name without its directories; of a query, the host and the database. */
  origin: text('origin').notNull(),
  /** SHA-256 of the file. */
  digest: bytea('digest'),
  startedAt: moment('started_at').notNull().default(sql`clock_timestamp()`),
  endedAt: moment('ended_at'),
  /** `running` with an old start: the process was killed, and nothing of it holds. */
  state: text('state', { enum: ['running', 'done', 'failed', 'stopped'] })
    .notNull()
    .default('running'),
  /** Rows, added, changed, unchanged, deleted, refused, refusedByRule, as in the summary of `load --json`. */
  counts: jsonb('counts').notNull().default({}),
  /** Files of refused rows: path, SHA-256, and whether they are encrypted. */
  refusedFiles: jsonb('refused_files').notNull().default([]),
  /** When those files are to be deleted. */
  refusedUntil: moment('refused_until'),
  watermark: text('watermark'),
})

/**
 * Users whose password was changed in the old system after the first right one was given here, or the provider had confirmed its
 * own. Found by `load`; `decision` is what was done about it.
 */
export const passwordChanges = carryover.table(
  'password_changes',
  {
    userId: text('user_id').primaryKey(),
    noticedAt: moment('noticed_at').notNull().default(sql`clock_timestamp()`),
    load: bigint('load', { mode: 'number' }),
    decision: text('decision', { enum: ['open', 'left', 'asked-again', 'reset'] })
      .notNull()
      .default('open'),
    decidedAt: moment('decided_at'),
  },
  (t) => [index('password_changes_open').on(t.noticedAt).where(sql`${t.decision} = 'open'`)],
)

/** Corrections by rule, applied while users are read. An undone one stays, as history. Written by `check`. */
export const fixes = carryover.table('fixes', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  name: text('name').notNull(),
  rule: jsonb('rule').notNull(),
  appliedAt: moment('applied_at').notNull().default(sql`clock_timestamp()`),
  undoneAt: moment('undone_at'),
})

/**
 * What is to be brought to a target, decided user by user: see `plan_items`. A plan is what a run works off, so its state is
 * the run's.
 */
export const plans = carryover.table('plans', {
  id: uuid('id').primaryKey(),
  target: text('target').notNull(),
  createdAt: moment('created_at').notNull().default(sql`clock_timestamp()`),
  /** Mapping, rules and options as they were: a run uses these. */
  content: jsonb('content').notNull(),
  /** SHA-256 of the target's settings but for secrets; and of the copy with its newest load. */
  settingsDigest: bytea('settings_digest').notNull(),
  copyDigest: bytea('copy_digest').notNull(),
  users: bigint('users', { mode: 'number' }).notNull(),
  /** Forecast, findings, needs: what `plan --json` printed. */
  report: jsonb('report').notNull(),
  state: text('state', { enum: ['ready', 'running', 'paused', 'stopped', 'done'] })
    .notNull()
    .default('ready'),
  /** Why it was paused, where that was not by hand. */
  pausedFor: text('paused_for'),
  /** Calls a minute at most, of all processes together; null: what the target allows. */
  speed: integer('speed'),
  startedAt: moment('started_at'),
  endedAt: moment('ended_at'),
})

/** What is to become of each user, and what has. Claimed in batches with leases by any number of processes. */
export const planItems = carryover.table(
  'plan_items',
  {
    plan: uuid('plan').notNull(),
    place: bigint('place', { mode: 'number' }).notNull(),
    userId: text('user_id').notNull(),
    action: text('action', { enum: ['create', 'update', 'deactivate', 'delete', 'none'] }).notNull(),
    /** How the password gets there; `none`: it is left as it is. */
    method: text('method', { enum: ['hash', 'hook', 'reset', 'none'] }).notNull(),
    /** Why: a word of ours that the report counts. */
    why: text('why').notNull(),
    cohort: text('cohort').notNull(),
    scheme: text('scheme').notNull(),
    /** Keyed digest of everything that is to be sent but the hash. */
    content: bytea('content'),
    state: text('state', {
      enum: ['pending', 'created', 'updated', 'unchanged', 'removed', 'refused', 'postponed', 'left-out'],
    }).notNull(),
    leaseUntil: moment('lease_until'),
    leasedBy: uuid('leased_by'),
    attempts: integer('attempts').notNull().default(0),
    /** A word of ours for why it was refused or postponed. */
    reason: text('reason'),
    targetCode: text('target_code'),
    /** The target's words without the user's values. */
    targetText: text('target_text'),
    endedAt: moment('ended_at'),
  },
  (t) => [
    primaryKey({ columns: [t.plan, t.place] }),
    unique('plan_items_user').on(t.plan, t.userId),
    index('plan_items_pending').on(t.plan, t.place).where(sql`${t.state} = 'pending'`),
    index('plan_items_failed').on(t.plan, t.place).where(sql`${t.state} in ('refused', 'postponed')`),
    index('plan_items_of_user').on(t.userId),
  ],
)

/** Sums over `plan_items`, kept in the transaction that changes them. */
export const planCounts = carryover.table(
  'plan_counts',
  {
    plan: uuid('plan').notNull(),
    action: text('action').notNull(),
    method: text('method').notNull(),
    state: text('state').notNull(),
    reason: text('reason').notNull().default(''),
    users: bigint('users', { mode: 'number' }).notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.plan, t.action, t.method, t.state, t.reason] })],
)

/** What each target has of each user, as far as our runs know: what the next plan compares with. */
export const provisioned = carryover.table(
  'provisioned',
  {
    target: text('target').notNull(),
    userId: text('user_id').notNull(),
    /** The target's own key. */
    targetId: text('target_id'),
    content: bytea('content').notNull(),
    method: text('method').notNull(),
    /** Keyed digest of the stored hash at that time, whether it was sent or is asked for by the hook. */
    hash: bytea('hash'),
    at: moment('at').notNull().default(sql`clock_timestamp()`),
    removedAt: moment('removed_at'),
  },
  (t) => [primaryKey({ columns: [t.target, t.userId] }), index('provisioned_user').on(t.userId)],
)

/** How far a provider's log was read. */
export const cursors = carryover.table('cursors', {
  name: text('name').primaryKey(),
  position: text('position').notNull(),
  at: moment('at').notNull().default(sql`clock_timestamp()`),
})
