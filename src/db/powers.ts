import type pg from 'pg'

/** What an account can do besides what the service's role lets it. */
export interface Powers {
  readonly superuser: boolean
  /** Owns something of the schemas `legacy` or `carryover`, or may become who does. */
  readonly owner: boolean
  readonly createsRoles: boolean
  readonly replicates: boolean
  /** Roles of PostgreSQL that reach every table or the server's files. */
  readonly sweepingRoles: readonly string[]
  /** May act as the role. */
  readonly holdsRole: boolean
  /** Tables and views that the account may read or write and the role may not. */
  readonly tables: readonly string[]
  /** Functions that the account may call and the role may not. */
  readonly functions: readonly string[]
  /** Tables and views that the role itself may read or write: it was given more than `migrate` gives. */
  readonly roleReads: readonly string[]
  /** Functions that every account may call, as PostgreSQL has it for a new function unless that is revoked. */
  readonly publicFunctions: readonly string[]
}

export type ServiceRole = 'carryover_hooks' | 'carryover_admin' | 'carryover_purge'

/** Counts every role that the account may become, inherited or not. Nobody needs rights to ask this. */
const POWERS = `
  with me as (select * from pg_roles where rolname = session_user),
  becomes as (select r.oid, r.rolname from pg_roles r, me where pg_has_role(me.oid, r.oid, 'member')),
  relation as (
    select c.oid, c.relowner, n.nspname as schema, n.nspname || '.' || c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('legacy', 'carryover') and c.relkind in ('r', 'p', 'v', 'm', 'f')
  ),
  routine as (
    select p.oid, n.nspname || '.' || p.proname as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'carryover' and p.prorettype <> 'trigger'::regtype
  ),
  service as (select to_regrole($1)::oid as role),
  touches as (
    select r.oid as role, t.oid from pg_roles r, relation t
    where (r.oid in (select oid from becomes) or r.oid = (select role from service))
      and (has_any_column_privilege(r.oid, t.oid, 'select, insert, update')
        or has_table_privilege(r.oid, t.oid, 'delete, truncate'))
  )
  select me.rolsuper as superuser, me.rolcreaterole as "createsRoles", me.rolreplication as "replicates",
    exists (select from relation where relowner in (select oid from becomes))
      or exists (select from pg_namespace where nspname in ('legacy', 'carryover') and nspowner in (select oid from becomes))
      as owner,
    array(select rolname::text from becomes where rolname in ('pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files',
      'pg_write_server_files', 'pg_execute_server_program') order by 1) as "sweepingRoles",
    coalesce(pg_has_role(me.oid, (select role from service), 'member'), false) as "holdsRole",
    array(select name from relation t where exists (select from touches w where w.oid = t.oid and w.role in (select oid from becomes))
      and not exists (select from touches w where w.oid = t.oid and w.role = (select role from service)) order by 1) as tables,
    array(select name from routine f where exists (select from becomes b where has_function_privilege(b.oid, f.oid, 'execute'))
      and not coalesce(has_function_privilege((select role from service), f.oid, 'execute'), false) order by 1) as functions,
    array(select name from relation t where (t.schema = 'legacy' or $1 <> 'carryover_admin')
      and exists (select from touches w where w.oid = t.oid and w.role = (select role from service)) order by 1) as "roleReads",
    array(select name from routine f where has_function_privilege('public', f.oid, 'execute') order by 1) as "publicFunctions"
  from me`

/** Of the account that the connection signed in as. */
export async function readPowers(client: pg.Client, role: ServiceRole): Promise<Powers> {
  const { rows } = await client.query<Powers>(POWERS, [role])
  const [powers] = rows
  if (powers === undefined) throw new Error('the account of this session is not listed')
  return powers
}
