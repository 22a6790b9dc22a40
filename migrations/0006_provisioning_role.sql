-- A key for digests of what was sent to a target, made of the installation's own, which nobody but the owner reads: profiles can be
-- guessed, and a digest without a key would say when a guess is right.
create function carryover.provision_key() returns bytea
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select sha256(convert_to('provision', 'UTF8') || i.login_key) from carryover.installation i where i.one
$$;
--> statement-breakpoint
-- The role of whoever plans and provisions. It cannot sign in itself: grant it to an account. It reads the copy, hashes
-- included, because targets are given some; it writes what was planned and what became of it. It changes neither the copy nor
-- anybody's state, and it reaches no outcomes.
do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'carryover_provision') then
    begin
      create role carryover_provision nologin;
    exception
      when duplicate_object or unique_violation then null; -- another database of this cluster was faster
      when insufficient_privilege then
        raise exception 'the role carryover_provision is missing and this account may not create it'
          using errcode = 'insufficient_privilege',
            hint = 'let an administrator run: create role carryover_provision nologin;';
    end;
  end if;
end $$;
--> statement-breakpoint
revoke all on function carryover.provision_key() from public;
--> statement-breakpoint
grant usage on schema legacy, carryover to carryover_provision;
--> statement-breakpoint
grant execute on function carryover.provision_key(), carryover.schema_version() to carryover_provision;
--> statement-breakpoint
grant select on legacy.users, carryover.users, carryover.loads, carryover.fixes, carryover.password_changes to carryover_provision;
--> statement-breakpoint
grant select, insert, update, delete on carryover.plans, carryover.plan_items, carryover.plan_counts, carryover.provisioned
to carryover_provision;
--> statement-breakpoint
grant update (decision, decided_at) on carryover.password_changes to carryover_provision;
--> statement-breakpoint
-- How far a run is, for people and machines; nobody's id.
grant select on carryover.plans, carryover.plan_counts to carryover_admin;
--> statement-breakpoint
-- How far a provider's log was read, or null when it never was.
create function carryover.read_cursor(cursor_name text) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select c.position from carryover.cursors c where c.name = cursor_name
$$;
--> statement-breakpoint
-- Notes a new position, unless somebody has moved it from `was` meanwhile: false. `was` null: the log was never read.
create function carryover.move_cursor(cursor_name text, was text, becomes text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if length(cursor_name) > 100 or length(becomes) > 4096 then
    raise exception 'a position of at most 4,096 characters' using errcode = 'program_limit_exceeded';
  end if;
  if was is null then
    insert into carryover.cursors (name, position) values (cursor_name, becomes) on conflict do nothing;
  else
    update carryover.cursors c set position = becomes, at = clock_timestamp()
    where c.name = cursor_name and c.position = was;
  end if;
  return found;
end $$;
--> statement-breakpoint
revoke all on function carryover.read_cursor(text), carryover.move_cursor(text, text, text) from public;
--> statement-breakpoint
grant execute on function carryover.read_cursor(text), carryover.move_cursor(text, text, text) to carryover_hooks;
--> statement-breakpoint
-- What a run has done about passwords that were changed in the old system after the first sign-in counts as decided, once.
-- Whoever is asked for again begins anew in the ledger, or the hook would go on saying that the provider has a password of its own.
create function carryover.settle_password_changes() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  asked text[];
  deltas jsonb;
begin
  if not exists (select from ended e where e.why = 'password-changed' and e.state in ('updated', 'unchanged')) then
    return null;
  end if;
  with done as (
    select e.user_id, e.method from ended e join begun b on b.plan = e.plan and b.place = e.place
    where e.why = 'password-changed' and e.method in ('hook', 'reset') and b.state = 'pending'
      and e.state in ('updated', 'unchanged')
  ),
  decided as (
    update carryover.password_changes c
    set decision = case d.method when 'hook' then 'asked-again' else 'reset' end, decided_at = clock_timestamp()
    from done d where c.user_id = d.user_id and c.decision = 'open'
    returning c.user_id, d.method
  )
  select array_agg(d.user_id) from decided d where d.method = 'hook' into asked;
  -- In the order of the key, as record_outcomes does.
  with again as (
    select u.user_id, u.state, u.cohort, u.scheme, u.usable from carryover.users u
    where u.user_id = any (asked) and u.state in ('verified', 'migrated')
      and u.purged_at is null and u.deleted_at is null
    order by u.user_id
    for update
  ),
  moved as (
    update carryover.users u set state = 'unmigrated', verified_at = null, migrated_at = null
    from again a where u.user_id = a.user_id
    returning a.state, a.cohort, a.scheme, a.usable
  )
  select jsonb_agg(jsonb_build_object('cohort', m.cohort, 'scheme', m.scheme, 'unmigrated', 1,
    'verified', -(m.state = 'verified')::int, 'migrated', -(m.state = 'migrated')::int,
    'unverifiable', (not m.usable)::int)) from moved m into deltas;
  -- The last thing before the commit: others wait for the rows of the counts until then.
  if deltas is not null then
    perform carryover.add_counts(deltas);
  end if;
  return null;
end $$;
--> statement-breakpoint
revoke all on function carryover.settle_password_changes() from public;
--> statement-breakpoint
create trigger settle_password_changes after update on carryover.plan_items
referencing old table as begun new table as ended
for each statement execute function carryover.settle_password_changes();
