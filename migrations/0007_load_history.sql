-- Notes users whose hash was purged and whose row in a load has another one, and remembers that one in place of it: the same
-- row is a change once. Says how many. For whoever loads, who has no key of the digests.
create function carryover.changed_since_purge(ids text[], hashes text[], salts text[], of_load bigint) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  login_key constant bytea := (select i.login_key from carryover.installation i where i.one);
  changed bigint;
begin
  with given as materialized (
    select g.id, carryover.hash_digest(g.hash, g.salt, login_key) as digest from unnest(ids, hashes, salts) g (id, hash, salt)
  ),
  -- In the order of the key, as record_outcomes does.
  other as materialized (
    select u.user_id, g.digest from carryover.users u join given g on g.id = u.user_id
    where u.purged_at is not null and u.deleted_at is null and u.purged_hash <> g.digest
    order by u.user_id
    for update of u
  ),
  remembered as (
    update carryover.users u set purged_hash = o.digest from other o where u.user_id = o.user_id
  ),
  noted as (
    insert into carryover.password_changes (user_id, load) select o.user_id, of_load from other o
    on conflict (user_id) do update
      set noticed_at = clock_timestamp(), load = excluded.load, decision = 'open', decided_at = null
    returning user_id
  )
  select count(*) from noted into changed;
  return changed;
end $$;
--> statement-breakpoint
revoke all on function carryover.changed_since_purge(text[], text[], text[], bigint) from public;
--> statement-breakpoint
grant execute on function carryover.changed_since_purge(text[], text[], text[], bigint) to carryover_load;
--> statement-breakpoint
-- The history of loads is written by whoever loads.
grant select, insert, update on carryover.loads, carryover.sources to carryover_load;
--> statement-breakpoint
grant select, insert, delete on carryover.origins to carryover_load;
--> statement-breakpoint
grant select, insert, update on carryover.password_changes to carryover_load;
