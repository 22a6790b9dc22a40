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
grant select, insert, update on carryover.cursors to carryover_hooks;
