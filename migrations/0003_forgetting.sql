CREATE TABLE "carryover"."erased" (
	"id_digest" "bytea" PRIMARY KEY NOT NULL,
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "carryover"."users" ADD COLUMN "purged_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "users_unpurged" ON "carryover"."users" USING btree ("migrated_at") WHERE "carryover"."users"."migrated_at" is not null and "carryover"."users"."purged_at" is null and "carryover"."users"."deleted_at" is null;
--> statement-breakpoint
-- Statistics are samples of values, kept in pg_statistic until the next analyze: none are taken of what is to be forgotten.
do $$
begin
  if (select relkind from pg_catalog.pg_class where oid = 'legacy.users'::regclass) in ('r', 'p') then
    alter table legacy.users alter column password_hash set statistics 0, alter column salt set statistics 0;
  end if;
end $$;
--> statement-breakpoint
-- Takes hash and salt of at most 1,000 users out of the copy: of those whose migration was confirmed longer ago than
-- `kept`, and of nobody else. Says how many users that were; 0: there is nothing more to do now. Waits for nobody: users
-- who are locked are left for the next time, and while a load is under way it fails (55P03).
create function carryover.purge_hashes(kept interval, most int) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- As in find_users.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  purged bigint;
  confirmed_before constant timestamptz := clock_timestamp() - greatest(kept, interval '0');
  login_key constant bytea := (select i.login_key from carryover.installation i where i.one);
begin
  perform carryover.claim_hashes();
  with due as materialized (
    select u.user_id from carryover.users u
    where u.migrated_at < confirmed_before and u.state = 'migrated'
      and u.migrated_at is not null and u.purged_at is null and u.deleted_at is null
    order by u.migrated_at limit least(greatest(most, 1), 1000)
    for update skip locked
  ),
  emptied as (
    update legacy.users l set password_hash = null, salt = null from due where l.id = due.user_id
  ),
  marked as (
    update carryover.users u set purged_at = clock_timestamp(),
      -- As it was when this statement began.
      purged_hash = (select carryover.hash_digest(l.password_hash, l.salt, login_key) from legacy.users l where l.id = u.user_id)
    from due where u.user_id = due.user_id
    returning u.user_id
  )
  select count(*) from marked into purged;
  return purged;
end $$;
--> statement-breakpoint
-- Likewise for users who were verified before a moment and whose migration nobody confirmed: for providers that never
-- confirm. Goes through them in the order of their ids; `last` null: that was all. No role is granted it.
create function carryover.purge_verified(verified_before timestamptz, after text, most int)
returns table (users bigint, last text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  login_key constant bytea := (select i.login_key from carryover.installation i where i.one);
begin
  perform carryover.claim_hashes();
  return query
  with due as materialized (
    select u.user_id from carryover.users u
    where (after is null or u.user_id > after) and u.state = 'verified' and u.verified_at < verified_before
      and u.purged_at is null and u.deleted_at is null
    order by u.user_id limit least(greatest(most, 1), 1000)
    for update skip locked
  ),
  emptied as (
    update legacy.users l set password_hash = null, salt = null from due where l.id = due.user_id
  ),
  marked as (
    update carryover.users u set purged_at = clock_timestamp(),
      -- As it was when this statement began.
      purged_hash = (select carryover.hash_digest(l.password_hash, l.salt, login_key) from legacy.users l where l.id = u.user_id)
    from due where u.user_id = due.user_id
    returning u.user_id
  )
  select count(*), max(user_id) from marked;
end $$;
--> statement-breakpoint
-- A load holds the whole copy, and would wait for the ledger rows that a purge has locked while that waits for the copy:
-- the copy is asked for first, and not waited for.
create function carryover.claim_hashes() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if (select relkind from pg_class where oid = 'legacy.users'::regclass) not in ('r', 'p') then
    raise exception 'legacy.users is a view' using errcode = 'wrong_object_type';
  end if;
  lock table legacy.users in row exclusive mode nowait;
end $$;
--> statement-breakpoint
-- What is kept of an erased user. Ids are compared as they are, so unlike a name an id is not folded.
create function carryover.id_digest(id text, login_key bytea) returns bytea
language sql immutable parallel safe
return sha256(login_key || sha256(convert_to('id ' || id, 'UTF8')));
--> statement-breakpoint
-- What is kept of a purged hash: whether another one is another. Null where there was none.
create function carryover.hash_digest(password_hash text, salt text, login_key bytea) returns bytea
language sql immutable parallel safe
return sha256(login_key || sha256(convert_to(
  'hash ' || length(password_hash) || ' ' || password_hash || case when salt is null then '' else ' ' || salt end, 'UTF8')));
--> statement-breakpoint
-- Which of these ids were erased.
create function carryover.erased_among(ids text[]) returns setof text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select distinct i.id from unnest(ids) i (id)
  join carryover.erased e
    on e.id_digest = carryover.id_digest(i.id, (select login_key from carryover.installation where one))
$$;
--> statement-breakpoint
-- Forgets a user everywhere and keeps the digest of the id. Says how many rows of each table were removed, or, of the
-- outcomes, lost what tied them to the user. Rows of a view are not ours to delete.
create function carryover.erase_user(erased_id text) returns table (place text, erased bigint)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  login_key constant bytea := (select i.login_key from carryover.installation i where i.one);
  row_before carryover.users;
  names text[];
begin
  select * into row_before from carryover.users u where u.user_id = erased_id for update;
  names := array(
    select n.name from legacy.users l cross join lateral (values (l.login), (l.email)) n (name)
    where l.id = erased_id and n.name is not null);

  place := 'legacy.users';
  erased := 0;
  if (select relkind from pg_class where oid = 'legacy.users'::regclass) in ('r', 'p') then
    delete from legacy.users l where l.id = erased_id;
    get diagnostics erased = row_count;
  end if;
  return next;

  place := 'carryover.users';
  delete from carryover.users u where u.user_id = erased_id;
  get diagnostics erased = row_count;
  return next;

  place := 'carryover.refusals';
  delete from carryover.refusals r
  where r.subject = carryover.refusal_subject(erased_id, null, login_key)
    or r.subject in (select carryover.refusal_subject(null, n.name, login_key) from unnest(names) n (name));
  get diagnostics erased = row_count;
  return next;

  place := 'carryover.outcomes';
  erased := carryover.forget_outcomes(erased_id);
  return next;

  place := 'carryover.probes';
  erased := 0;
  if exists (select from carryover.probes p where p.user_id = erased_id) then
    -- The one exception to append-only. It ends with the transaction.
    alter table carryover.probes disable trigger append_only;
    delete from carryover.probes p where p.user_id = erased_id;
    get diagnostics erased = row_count;
    alter table carryover.probes enable trigger append_only;
  end if;
  return next;

  -- A source may know the user by another id, which is not to come back either.
  insert into carryover.erased (id_digest)
  select carryover.id_digest(o.source || U&'\001F' || o.source_id, login_key) from carryover.origins o
  where o.user_id = erased_id
  on conflict do nothing;

  place := 'carryover.origins';
  delete from carryover.origins o where o.user_id = erased_id;
  get diagnostics erased = row_count;
  return next;

  place := 'carryover.password_changes';
  delete from carryover.password_changes c where c.user_id = erased_id;
  get diagnostics erased = row_count;
  return next;

  -- The sums of the plans stay: they name nobody.
  place := 'carryover.plan_items';
  delete from carryover.plan_items i where i.user_id = erased_id;
  get diagnostics erased = row_count;
  return next;

  place := 'carryover.provisioned';
  delete from carryover.provisioned p where p.user_id = erased_id;
  get diagnostics erased = row_count;
  return next;

  insert into carryover.erased (id_digest) values (carryover.id_digest(erased_id, login_key)) on conflict do nothing;

  -- The last thing before the commit: others wait for the rows of the counts until then.
  if row_before.user_id is not null and row_before.deleted_at is null then
    perform carryover.add_counts(jsonb_build_array(jsonb_build_object(
      'cohort', row_before.cohort, 'scheme', row_before.scheme,
      'unmigrated', -(row_before.state = 'unmigrated')::int, 'verified', -(row_before.state = 'verified')::int,
      'migrated', -(row_before.state = 'migrated')::int,
      'unverifiable', -(row_before.state = 'unmigrated' and not row_before.usable)::int)));
  end if;
end $$;
--> statement-breakpoint
-- The role of the purge, made as the two others are.
do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'carryover_purge') then
    begin
      create role carryover_purge nologin;
    exception
      when duplicate_object or unique_violation then null; -- another database of this cluster was faster
      when insufficient_privilege then
        raise exception 'the role carryover_purge is missing and this account may not create it'
          using errcode = 'insufficient_privilege', hint = 'let an administrator run: create role carryover_purge nologin;';
    end;
  end if;
  if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
    begin
      grant carryover_purge to current_user;
    exception when insufficient_privilege then null;
    end;
  end if;
end $$;
--> statement-breakpoint
revoke all on function carryover.purge_hashes(interval, int), carryover.purge_verified(timestamptz, text, int),
  carryover.claim_hashes(), carryover.id_digest(text, bytea), carryover.hash_digest(text, text, bytea), carryover.erased_among(text[]),
  carryover.erase_user(text) from public;
--> statement-breakpoint
grant usage on schema carryover to carryover_purge;
--> statement-breakpoint
grant execute on function carryover.purge_hashes(interval, int), carryover.schema_version() to carryover_purge;
