-- The accounts of Carryover and what bounds them. An administrator runs it once, on the database that is to be Carryover's,
-- before `carryover migrate`; running it again changes nothing. It gives nobody a password and lets nobody in: then, for each
-- account, `\password carryover_hooks_account` in psql, which sends no password in clear, or a client certificate.
--
--   carryover_migrate         owns the database: `migrate`, `sync`, `doctor`, `counts`, the first `load`. Not for the service.
--   carryover_import          `load`
--   carryover_hooks_account   HOOKS_DATABASE_URL
--   carryover_admin_account   ADMIN_DATABASE_URL
--   carryover_purge_account   PURGE_DATABASE_URL
--   carryover_provision_account   `plan`, `provision`
--
-- What each may do comes from the group role that it has, and the group roles get it from `migrate`.

do $$
declare
  wanted text;
begin
  foreach wanted in array array['carryover_hooks', 'carryover_admin', 'carryover_load', 'carryover_purge',
    'carryover_provision'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = wanted) then
      execute format('create role %I', wanted);
    end if;
    execute format('alter role %I nologin noinherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls', wanted);
  end loop;
  foreach wanted in array array['carryover_migrate', 'carryover_import', 'carryover_hooks_account',
    'carryover_admin_account', 'carryover_purge_account', 'carryover_provision_account'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = wanted) then
      execute format('create role %I', wanted);
    end if;
    -- They inherit from their one group role, so that no connection has to act as it first.
    execute format('alter role %I login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls', wanted);
    -- Every name in the program's statements has its schema; nothing is looked for elsewhere.
    execute format('alter role %I set search_path = pg_catalog, pg_temp', wanted);
    execute format('alter role %I set idle_in_transaction_session_timeout = ''10s''', wanted);
  end loop;
end $$;

grant carryover_load to carryover_import;
grant carryover_hooks to carryover_hooks_account;
grant carryover_admin to carryover_admin_account;
grant carryover_purge to carryover_purge_account;
grant carryover_provision to carryover_provision_account;

-- A service opens 8 connections for the hooks, 2 for administrators and 1 for the purge. Two run, and a third while they are replaced.
alter role carryover_hooks_account connection limit 30;
alter role carryover_admin_account connection limit 8;
alter role carryover_import connection limit 2;
alter role carryover_purge_account connection limit 4;
alter role carryover_provision_account connection limit 20;
alter role carryover_migrate connection limit 6;

-- Bounds of last resort. The service asks for shorter ones itself; `load` and `migrate` take as long as they take.
alter role carryover_hooks_account set statement_timeout = '2s';
alter role carryover_hooks_account set lock_timeout = '1s';
alter role carryover_admin_account set statement_timeout = '10s';
alter role carryover_admin_account set lock_timeout = '1s';
alter role carryover_purge_account set statement_timeout = '60s';
alter role carryover_purge_account set lock_timeout = '5s';
-- A plan reads the whole copy in one transaction.
alter role carryover_provision_account set idle_in_transaction_session_timeout = '1h';
alter role carryover_provision_account set lock_timeout = '60s';
alter role carryover_import set idle_in_transaction_session_timeout = '1h';
alter role carryover_migrate set idle_in_transaction_session_timeout = '1h';
alter role carryover_migrate set lock_timeout = '60s';

-- Values of statements never go into the server's log. Only a superuser may set that for a role: elsewhere, set both for the
-- whole server.
do $$
declare
  wanted text;
begin
  foreach wanted in array array['carryover_migrate', 'carryover_import', 'carryover_hooks_account',
    'carryover_admin_account', 'carryover_purge_account', 'carryover_provision_account'] loop
    execute format('alter role %I set log_parameter_max_length = 0', wanted);
    execute format('alter role %I set log_parameter_max_length_on_error = 0', wanted);
  end loop;
exception when insufficient_privilege then
  raise notice 'set log_parameter_max_length = 0 and log_parameter_max_length_on_error = 0 for the server';
end $$;

-- Nobody but these accounts connects, and of them only those that load may make temporary tables.
do $$
begin
  execute format('alter database %I owner to carryover_migrate', current_database());
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect on database %I to carryover_import, carryover_hooks_account, carryover_admin_account, '
    || 'carryover_purge_account, carryover_provision_account', current_database());
  execute format('grant temporary on database %I to carryover_import', current_database());
end $$;
-- As PostgreSQL 15 and newer have it.
revoke all on schema public from public;
-- Large objects belong to nobody's work here, and by PostgreSQL's own default anybody may make them.
do $$
declare
  wanted text;
begin
  foreach wanted in array array['lo_create(oid)', 'lo_creat(integer)', 'lo_from_bytea(oid, bytea)', 'lo_open(oid, integer)',
    'lowrite(integer, bytea)', 'lo_put(oid, bigint, bytea)'] loop
    execute format('revoke execute on function pg_catalog.%s from public', wanted);
  end loop;
exception when insufficient_privilege then
  raise notice 'large objects stay open to every account of this database: only a superuser can close them';
end $$;
