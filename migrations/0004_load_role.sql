-- The role of whoever brings files into the copy by `carryover load`. It cannot sign in itself: grant it to an account. It
-- writes the copy, and of the ledger what a row of the copy says. It can neither move a user's state nor take a user out of
-- the ledger, and it reaches neither outcomes nor confirmations nor the key of the logins' digests.
do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'carryover_load') then
    begin
      create role carryover_load nologin;
    exception
      when duplicate_object or unique_violation then null; -- another database of this cluster was faster
      when insufficient_privilege then
        raise exception 'the role carryover_load is missing and this account may not create it'
          using errcode = 'insufficient_privilege',
            hint = 'let an administrator run: create role carryover_load nologin;';
    end;
  end if;
end $$;
--> statement-breakpoint
grant usage on schema legacy, carryover to carryover_load;
--> statement-breakpoint
-- A view is the operator's own, and is not loaded.
do $$
begin
  if (select relkind from pg_catalog.pg_class where oid = 'legacy.users'::regclass) in ('r', 'p') then
    grant select, insert, update, delete on legacy.users to carryover_load;
  end if;
end $$;
--> statement-breakpoint
grant select, insert (user_id, cohort, scheme, usable, deleted_at), update (cohort, scheme, usable, deleted_at)
on carryover.users to carryover_load;
--> statement-breakpoint
grant select, insert, update on carryover.counts to carryover_load;
--> statement-breakpoint
-- The first because the copy is indexed by it.
grant execute on function carryover.name_key(text), carryover.add_counts(jsonb), carryover.schema_version(),
  carryover.erased_among(text[]) to carryover_load;
--> statement-breakpoint
-- Digests that say nothing without the key.
grant select on carryover.erased to carryover_load;
