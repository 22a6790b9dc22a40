-- The name that a login or an e-mail address is looked up by: Unicode NFKC, without surrounding blanks, without
-- case. The same for every locale of the server: ASCII takes a short way with the same result, and the final
-- sigma is an ordinary one. Used in indexes, so it may never change; a new rule needs a new function.
create function carryover.name_key(name text) returns text
language sql immutable parallel safe
return case
  when octet_length(name) = length(name) then lower(btrim(name, E' \t\n\r\f\v') collate "C") collate "C"
  else replace(lower(btrim(normalize(name, NFKC), E' \t\n\r\f\v') collate "und-x-icu") collate "C", 'ς', 'σ')
end;
--> statement-breakpoint
-- Only a table can be indexed here. For a view, the operator makes the same two indexes on what lies beneath.
do $$
begin
  if (select relkind from pg_catalog.pg_class where oid = 'legacy.users'::regclass) in ('r', 'p') then
    create index users_login_key on legacy.users (carryover.name_key(login));
    -- Only where it differs from the login: whoever types the login is found by that. The first condition says nothing
    -- new, but it is cheap, and in most stores it answers for nearly every row.
    create index users_email_key on legacy.users (carryover.name_key(email))
      where email <> login and carryover.name_key(email) <> carryover.name_key(login);
  end if;
end $$;
--> statement-breakpoint
-- Two version 4 UUIDs carry 244 random bits; sha256 makes a key of them.
insert into carryover.installation (login_key)
values (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));
--> statement-breakpoint
-- Takes the key as an argument, so that it is one expression, which PostgreSQL puts in place of the call, and the key is
-- read once a statement.
create function carryover.name_digest(name text, login_key bytea) returns bytea
language sql immutable parallel safe
return substring(sha256(login_key || sha256(convert_to(carryover.name_key(name), 'UTF8'))) for 16);
--> statement-breakpoint
create function carryover.login_digest(login text) returns bytea
language sql stable
return carryover.name_digest(login, (select login_key from carryover.installation where one));
--> statement-breakpoint
create function carryover.refuse_change() returns trigger
language plpgsql as $$
begin
  raise exception 'carryover.% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
--> statement-breakpoint
create trigger append_only before delete or truncate on carryover.outcomes
for each statement execute function carryover.refuse_change();
--> statement-breakpoint
-- Whose an outcome is may be forgotten. The chain holds user_ref, which nobody can make again without the salt.
create function carryover.refuse_rewriting() returns trigger
language plpgsql as $$
begin
  if new.user_id is not null or new.user_salt is not null
    or (to_jsonb(new) - 'user_id' - 'user_salt') <> (to_jsonb(old) - 'user_id' - 'user_salt') then
    raise exception 'carryover.% is append-only', tg_table_name using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
--> statement-breakpoint
create trigger forgetting_only before update on carryover.outcomes
for each row execute function carryover.refuse_rewriting();
--> statement-breakpoint
-- For a person's request: the outcomes stay, and say no more whose they are. Answers how many they were.
create function carryover.forget_outcomes(user_id text) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  forgotten bigint;
begin
  update carryover.outcomes o set user_id = null, user_salt = null where o.user_id = forget_outcomes.user_id;
  get diagnostics forgotten = row_count;
  return forgotten;
end $$;
--> statement-breakpoint
-- Looks up at most 100 names at once: by login, then, where no login answers, by e-mail address. `matches` is 0 for
-- a name that nobody has and 2 for one that several have; only exactly one match brings a user. A null name
-- matches nobody and costs the same. A ledger row with deleted_at hides its user, wherever the row came from.
create function carryover.find_users(names text[], refusal_window interval)
returns table (
  place bigint, matches int, refusals int, refusals_overall bigint,
  id text, login text, email text, password_hash text, hash_scheme text, salt text,
  status text, cohort text, profile jsonb, state text, verified_at timestamptz, migrated_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- One index look-up a row and table is always right. A fresh copy has no statistics yet, and a plan made while tables are
-- empty is kept when they have grown: without these, reading all of millions of rows looks cheap.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
-- Planning takes longer than looking up.
set plan_cache_mode = force_generic_plan
-- Nor is compiling ever worth it; before PostgreSQL 18, a plan that cannot do without what is off here counts as dear.
set jit = off
as $$
#variable_conflict use_column
begin
  if cardinality(names) > 100 then
    raise exception 'at most 100 names at once' using errcode = 'program_limit_exceeded';
  end if;
  return query
  select n.place, f.matches::int,
    coalesce((
      select r.refusals from carryover.refusals r
      where r.subject = carryover.refusal_subject(u.id, n.name, (select login_key from carryover.installation where one))
        and r.window_start > clock_timestamp() - refusal_window
    ), 0),
    (
      select coalesce(sum(c.refusals), 0)::bigint from carryover.chains c
      where c.window_start > clock_timestamp() - refusal_window
    ),
    u.id, u.login, u.email, u.password_hash, u.hash_scheme, u.salt,
    u.status, u.cohort, u.profile::jsonb, coalesce(u.state, 'unmigrated'), u.verified_at, u.migrated_at
  from unnest(names) with ordinality n (name, place)
  cross join lateral (
    select min(c.id) as id, count(*) as matches
    from carryover.candidates(n.name) c
  ) f
  left join lateral (
    select l.*, s.state, s.verified_at, s.migrated_at
    from legacy.users l left join carryover.users s on s.user_id = l.id
    where f.matches = 1 and l.id = f.id
    limit 1 -- keeps it a look-up of its own
  ) u on true;
end $$;
--> statement-breakpoint
-- The ids that answer to a name, at most two of them: two are already no user. PostgreSQL puts this in place of its
-- call, so it has no settings of its own: its callers need `enable_seqscan = off`, as above.
create function carryover.candidates(name text) returns table (id text)
language sql stable
as $$
  with by_login as materialized (
    select l.id from legacy.users l
    where carryover.name_key(l.login) = carryover.name_key(name) and carryover.name_key(name) <> ''
      and (select d.deleted_at from carryover.users d where d.user_id = l.id) is null
    limit 2
  )
  select id from by_login
  union all
  (
    select l.id from legacy.users l
    where not exists (select from by_login)
      and carryover.name_key(l.email) = carryover.name_key(name) and carryover.name_key(name) <> ''
      and l.email <> l.login and carryover.name_key(l.email) <> carryover.name_key(l.login)
      and (select d.deleted_at from carryover.users d where d.user_id = l.id) is null
    limit 2
  )
$$;
--> statement-breakpoint
-- Names that nobody can have (null) share one subject.
create function carryover.refusal_subject(user_id text, name text, login_key bytea) returns text
language sql immutable parallel safe
return case
  when user_id is not null then 'user:' || user_id
  else 'login:' || coalesce(encode(carryover.name_digest(name, login_key), 'hex'), '')
end;
--> statement-breakpoint
-- Adds to the kept counts. Rows are always taken in the order of their key, so that two transactions cannot wait
-- for each other.
create function carryover.add_counts(deltas jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  insert into carryover.counts as c (cohort, scheme, unmigrated, verified, migrated, unverifiable)
  select cohort, scheme, sum(unmigrated), sum(verified), sum(migrated), sum(unverifiable)
  from jsonb_to_recordset(deltas)
    as d (cohort text, scheme text, unmigrated bigint, verified bigint, migrated bigint, unverifiable bigint)
  group by cohort, scheme
  order by cohort, scheme
  on conflict (cohort, scheme) do update set
    unmigrated = c.unmigrated + excluded.unmigrated,
    verified = c.verified + excluded.verified,
    migrated = c.migrated + excluded.migrated,
    unverifiable = c.unverifiable + excluded.unverifiable;
end $$;
--> statement-breakpoint
-- The next link of a chain. Without a link before it, the one that the chain begins with.
create function carryover.next_link(link bytea, genesis bytea, content bytea) returns bytea
language plpgsql immutable parallel safe -- an aggregate calls this twice as fast as a function of SQL
as $$ begin return sha256(coalesce(link, genesis) || content); end $$;
--> statement-breakpoint
create aggregate carryover.chain_links(genesis bytea, content bytea) (sfunc = carryover.next_link, stype = bytea);
--> statement-breakpoint
-- Appends outcomes to the record and to the chain of one lane of one run of a process: only one statement at a time may
-- use a lane, and nobody else waits for it. `given` are their verdicts, `refused` is how many of them count as refusals.
-- Answers the chain's newest link and its place; null where there was nothing to append. `carryover audit verify` computes the links again: src/audit/link.ts.
create function carryover.append_outcomes(
  proposed jsonb, given text[], refused bigint, refusal_window interval, run uuid, lane int
) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
#variable_conflict use_column
declare
  head jsonb;
  -- A constant, because an index cannot serve what is volatile.
  ended_before constant timestamptz := clock_timestamp() - refusal_window;
begin
  -- One statement: each costs more than the row of an outcome.
  with chain as materialized (
    select c.* from carryover.chains c
    where c.run = append_outcomes.run and c.lane = append_outcomes.lane for update
  ),
  read as materialized (
    select o.*, clock_timestamp() as at,
      case when o.user_id is not null then uuid_send(gen_random_uuid()) end as user_salt,
      case when o.user_id is null and o.name is not null
        then carryover.name_digest(o.name, (select login_key from carryover.installation where one)) end as login_digest
    from rows from (
      jsonb_to_recordset(proposed)
        as (dialect text, hook text, user_id text, name text, scheme text, millis int, request_id text),
      unnest(given)
    ) with ordinality o (dialect, hook, user_id, name, scheme, millis, request_id, given, place)
  ),
  linked as (
    select r.*, c.id as chain, c.length + r.place as chain_place,
      carryover.chain_links(c.head, sha256(convert_to(json_build_array(
        c.length + r.place, (extract(epoch from r.at) * 1000000)::bigint, r.dialect, r.hook, encode(r.user_ref, 'hex'),
        encode(r.login_digest, 'hex'), r.given, r.scheme, r.millis, r.request_id)::text, 'UTF8'))) over (order by r.place) as link
    from (select i.*, sha256(i.user_salt || convert_to(i.user_id, 'UTF8')) as user_ref from read i offset 0) r
    cross join chain c
  ),
  added as (
    insert into carryover.outcomes (at, dialect, hook, user_id, login_digest, verdict, scheme, millis, request_id,
      user_salt, user_ref, chain, place, link)
    select at, dialect, hook, user_id, login_digest, given, scheme, millis, request_id,
      user_salt, user_ref, chain, chain_place, link
    from linked order by place
    returning chain, place, link
  ),
  moved as (
    update carryover.chains c set
      length = a.place,
      head = a.link,
      window_start = case when refused = 0 or c.window_start > ended_before then c.window_start else clock_timestamp() end,
      refusals = case when refused = 0 or c.window_start > ended_before then c.refusals else 0 end + refused
    from (select * from added order by place desc limit 1) a
    where c.id = a.chain
    returning c.run, c.lane, c.length, c.head
  )
  select jsonb_build_object('run', m.run, 'lane', m.lane, 'place', m.length, 'link', encode(m.head, 'hex'))
  into head from moved m;
  if head is not null or coalesce(cardinality(given), 0) = 0 then return head; end if;

  -- The lane is used for the first time.
  insert into carryover.chains (run, lane, head)
  values (run, lane, sha256(convert_to('carryover ' || append_outcomes.run || ' ' || append_outcomes.lane, 'UTF8')));
  return carryover.append_outcomes(proposed, given, refused, refusal_window, run, lane);
end $$;
--> statement-breakpoint
-- Records at most 100 outcomes and answers the verdict that is to be given for each, as an array in their order. It
-- differs from the proposed one in one case: too many refusals within the window, of one subject or overall, turn any
-- verdict into `throttled`. For a subject that is decided under its row's lock, so that it holds across processes;
-- overall it holds but for what is in flight. A match moves the ledger to `verified`. Also answers the newest link of the
-- record's chain, which the caller names by run and lane.
-- Where `once_per_request`, a provider that has lost an answer asks again under the same request id, up to three times in
-- all: a refusal that is among the last 20 outcomes of its subject is not counted a second and a third time. Never more,
-- whoever makes the ids.
-- One outcome: {dialect, hook, name, user_id, cohort, scheme, usable, verdict, millis, request_id, once_per_request}.
create function carryover.record_outcomes(
  proposed jsonb, refusal_limit int, refusal_window interval, overall_limit bigint, run uuid, lane int
) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- As in find_users.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
#variable_conflict use_column
declare
  given text[];
  refused_now bigint;
  unlisted boolean;
  matched text[];
  deltas jsonb := '[]';
  head jsonb;
  -- A constant, because an index cannot serve what is volatile.
  ended_before constant timestamptz := clock_timestamp() - refusal_window;
  -- Of everybody, as far as they are committed.
  overall_before constant bigint := (
    select coalesce(sum(c.refusals), 0) from carryover.chains c where c.window_start > ended_before
  );
begin
  if jsonb_array_length(proposed) > 100 then
    raise exception 'at most 100 outcomes at once' using errcode = 'program_limit_exceeded';
  end if;

  with read as (
    select o.*, o.verdict in ('mismatch', 'unknown-login', 'disabled', 'unusable-hash', 'migrated') as refusal
    from rows from (jsonb_to_recordset(proposed)
      as (dialect text, hook text, user_id text, name text, cohort text, verdict text, request_id text,
        once_per_request boolean))
      with ordinality o (dialect, hook, user_id, name, cohort, verdict, request_id, once_per_request, place)
  ),
  outcome as materialized (
    select o.place, o.verdict, o.user_id, o.cohort is not null as listable,
      o.refusal and not before.counted as refused,
      case when o.refusal or o.verdict = 'match'
        then carryover.refusal_subject(o.user_id, o.name, (select login_key from carryover.installation where one)) end as subject
    from read o cross join lateral (
      select count(*) between 1 and 2 as counted from (
        (
          select p.* from carryover.outcomes p
          where o.refusal and o.once_per_request and p.user_id = o.user_id
          order by p.id desc limit 20
        )
        union all
        (
          select p.* from carryover.outcomes p
          where o.refusal and o.once_per_request and o.user_id is null
            and p.login_digest = carryover.name_digest(o.name, (select login_key from carryover.installation where one))
          order by p.id desc limit 20
        )
      ) p
      where p.request_id = o.request_id and p.dialect = o.dialect and p.hook = o.hook and p.at > ended_before
        and p.verdict in ('mismatch', 'unknown-login', 'disabled', 'unusable-hash', 'migrated')
    ) before
  ),
  -- Counted first: the upsert waits for others that refuse the same subject, and returns what is true after them.
  counted as (
    insert into carryover.refusals as r (subject, window_start, refusals)
    select subject, clock_timestamp(), count(*) from outcome where refused group by subject order by subject
    on conflict (subject) do update set
      window_start = case when r.window_start > clock_timestamp() - refusal_window then r.window_start else excluded.window_start end,
      refusals = case when r.window_start > clock_timestamp() - refusal_window then r.refusals else 0 end + excluded.refusals
    returning r.subject, r.refusals
  ),
  ranked as (
    select o.*,
      count(*) filter (where refused) over (partition by subject order by place rows between unbounded preceding and 1 preceding) as earlier,
      count(*) filter (where refused) over (partition by subject) as together,
      count(*) filter (where refused) over (order by place rows between unbounded preceding and 1 preceding) as earlier_overall
    from outcome o
  ),
  judged as (
    select k.*, case
      when k.subject is null then k.verdict
      when overall_before + k.earlier_overall >= overall_limit then 'throttled'
      when k.earlier + coalesce(c.refusals - k.together, (
        select r.refusals from carryover.refusals r
        where r.subject = k.subject and r.window_start > clock_timestamp() - refusal_window
      ), 0) >= refusal_limit then 'throttled'
      else k.verdict
    end as given
    from ranked k left join counted c on c.subject = k.subject
  )
  select array_agg(j.given order by j.place), count(*) filter (where j.refused),
    bool_or(j.user_id is not null and j.listable and u.user_id is null),
    array_agg(distinct j.user_id) filter (where j.given = 'match'
      and (u.user_id is null or u.state = 'unmigrated' and u.deleted_at is null))
  into given, refused_now, unlisted, matched
  from judged j left join lateral (
    select l.* from carryover.users l where l.user_id = j.user_id limit 1
  ) u on true;

  -- A user of a view, or of a table that was written behind our back, gets its ledger row now.
  if unlisted then
    with added as (
      insert into carryover.users (user_id, cohort, scheme, usable)
      select distinct on (o.user_id) o.user_id, o.cohort, o.scheme, o.usable
      from jsonb_to_recordset(proposed) as o (user_id text, cohort text, scheme text, usable boolean)
      where o.user_id is not null and o.cohort is not null
      order by o.user_id
      on conflict do nothing
      returning cohort, scheme, usable
    )
    select coalesce(jsonb_agg(jsonb_build_object('cohort', cohort, 'scheme', scheme, 'unmigrated', 1, 'verified', 0,
      'migrated', 0, 'unverifiable', (not usable)::int)), '[]')
    into deltas from added;
  end if;

  -- The rows are read again under their locks, which are taken in the order of the key.
  if matched is not null then
    with locked as (
      select u.user_id from (select id from unnest(matched) m (id) order by id) m
      cross join lateral (
        select l.user_id from carryover.users l
        where l.user_id = m.id and l.state = 'unmigrated' and l.deleted_at is null for update
      ) u
    ),
    moved as (
      update carryover.users u set state = 'verified', verified_at = clock_timestamp()
      from locked where u.user_id = locked.user_id
      returning u.cohort, u.scheme, u.usable
    ),
    summed as (
      select cohort, scheme, count(*) as users, count(*) filter (where not usable) as unusable from moved group by cohort, scheme
    )
    select deltas || coalesce(jsonb_agg(jsonb_build_object('cohort', cohort, 'scheme', scheme, 'unmigrated', -users,
      'verified', users, 'migrated', 0, 'unverifiable', -unusable)), '[]')
    into deltas from summed;
  end if;

  head := carryover.append_outcomes(proposed, given, refused_now, refusal_window, run, lane);

  -- Windows that are over have nothing to say. Twice as many are swept as can have been added, so the table stays small.
  if refused_now > 0 then
    delete from carryover.refusals r where r.subject in (
      select s.subject from carryover.refusals s
      where s.window_start < ended_before
      order by s.window_start limit 2 * refused_now for update skip locked);
  end if;

  -- The last thing before the commit: others wait for the rows of the counts until then.
  if deltas <> '[]' then perform carryover.add_counts(deltas); end if;
  return jsonb_build_object('given', coalesce(to_jsonb(given), '[]'), 'head', head);
end $$;
--> statement-breakpoint
-- Takes in at most 100 confirmations: {dialect, hook, name, result, event_id}. `stored` moves the user to `migrated`,
-- from wherever it was and for good, so that the order of events does not matter. Says for each what it was, in their
-- order: 'confirmed', 'repeated' (this event, or this user's migration, is known already), 'not-stored' or 'unknown'.
-- Run and lane name the record's chain, as above.
create function carryover.confirm_users(notices jsonb, run uuid, lane int) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  notice record;
  found_ids text[];
  result text;
  results jsonb := '{}';
  recorded jsonb := '[]';
  verdicts text[] := '{}';
  head jsonb;
  deltas jsonb := '[]';
  row_before carryover.users;
begin
  if jsonb_array_length(notices) > 100 then
    raise exception 'at most 100 notices at once' using errcode = 'program_limit_exceeded';
  end if;
  for notice in
    select p.place, n.*, array(select c.id from carryover.candidates(n.name) c) as ids
    from jsonb_array_elements(notices) with ordinality p (value, place),
      jsonb_to_record(p.value) as n (dialect text, hook text, name text, result text, event_id text)
    order by 7, 1
  loop
    found_ids := notice.ids;
    if cardinality(found_ids) <> 1 then
      results := results || jsonb_build_object(notice.place::text, 'unknown');
      continue;
    end if;
    insert into carryover.confirmed_events (event_id) values (notice.event_id) on conflict do nothing;
    if not found then
      results := results || jsonb_build_object(notice.place::text, 'repeated');
      continue;
    end if;
    if notice.result = 'stored' then
      -- The row is read again under its lock: a load may have deleted the user, and taken it out of the counts, meanwhile.
      select * into row_before from carryover.users u
      where u.user_id = found_ids[1] and u.state <> 'migrated' and u.deleted_at is null for update;
      if found then
        update carryover.users u set state = 'migrated', migrated_at = clock_timestamp() where u.user_id = found_ids[1];
        deltas := deltas || jsonb_build_object('cohort', row_before.cohort, 'scheme', row_before.scheme,
          'unmigrated', -(row_before.state = 'unmigrated')::int, 'verified', -(row_before.state = 'verified')::int,
          'migrated', 1, 'unverifiable', -(row_before.state = 'unmigrated' and not row_before.usable)::int);
        result := 'confirmed';
      elsif exists (select from carryover.users u where u.user_id = found_ids[1]) then
        result := 'repeated';
      else
        -- In the copy but not in the ledger (a view that was never synced): unclassified until `sync`.
        insert into carryover.users (user_id, state, cohort, scheme, usable, migrated_at)
        select l.id, 'migrated', l.cohort, 'unclassified', true, clock_timestamp() from legacy.users l where l.id = found_ids[1];
        select deltas || jsonb_build_object('cohort', l.cohort, 'scheme', 'unclassified', 'unmigrated', 0, 'verified', 0,
          'migrated', 1, 'unverifiable', 0) into deltas from legacy.users l where l.id = found_ids[1];
        result := 'confirmed';
      end if;
    else
      result := 'not-stored';
    end if;
    results := results || jsonb_build_object(notice.place::text, result);
    recorded := recorded || jsonb_build_object('dialect', notice.dialect, 'hook', notice.hook, 'user_id', found_ids[1],
      'millis', 0, 'request_id', notice.event_id);
    verdicts := verdicts || case when notice.result = 'stored' then 'confirmed' else 'not-stored' end;
  end loop;
  if recorded <> '[]' then head := carryover.append_outcomes(recorded, verdicts, 0, '0 s', run, lane); end if;
  if deltas <> '[]' then perform carryover.add_counts(deltas); end if;
  return jsonb_build_object('head', head, 'results', (
    select coalesce(jsonb_agg(results -> p.place::text order by p.place), '[]')
    from jsonb_array_elements(notices) with ordinality p (value, place)));
end $$;
--> statement-breakpoint
-- The scheme that most unmigrated users have: its cost is the cost of an unknown login.
create function carryover.common_scheme() returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select scheme from carryover.counts group by scheme having sum(unmigrated - unverifiable) > 0
  order by sum(unmigrated - unverifiable) desc, scheme limit 1
$$;
--> statement-breakpoint
-- For administrators: the ids that answer to a name. Neither hash nor profile.
create function carryover.find_user_ids(name text) returns table (id text, login text, email text, status text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
  select l.id, l.login, l.email, l.status
  from carryover.candidates(name) c join legacy.users l on l.id = c.id
$$;
--> statement-breakpoint
-- The moment of the newest migration that has been applied, in milliseconds, as drizzle-kit writes it.
create function carryover.schema_version() returns bigint
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select max(created_at) from carryover.migrations $$;
--> statement-breakpoint
-- The two roles of the service. They cannot sign in themselves: grant them to the accounts that do.
do $$
declare
  wanted text;
begin
  foreach wanted in array array['carryover_hooks', 'carryover_admin'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = wanted) then
      begin
        execute format('create role %I nologin', wanted);
      exception
        when duplicate_object or unique_violation then null; -- another database of this cluster was faster
        when insufficient_privilege then
          raise exception 'the role % is missing and this account may not create it', wanted
            using errcode = 'insufficient_privilege',
              hint = 'let an administrator run: create role carryover_hooks nologin; create role carryover_admin nologin;';
      end;
    end if;
    -- So that a service that has this account alone can narrow itself to the role. A superuser can anyway; whoever may
    -- not grant it was granted it by the administrator, or gives the service accounts of its own.
    if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
      begin
        execute format('grant %I to current_user', wanted);
      exception when insufficient_privilege then null;
      end;
    end if;
  end loop;
end $$;
--> statement-breakpoint
revoke all on all functions in schema carryover from public;
--> statement-breakpoint
grant usage on schema carryover to carryover_hooks, carryover_admin;
--> statement-breakpoint
grant execute on function carryover.find_users(text[], interval), carryover.record_outcomes(jsonb, int, interval, bigint, uuid, int),
  carryover.confirm_users(jsonb, uuid, int), carryover.common_scheme(), carryover.schema_version() to carryover_hooks;
--> statement-breakpoint
grant execute on function carryover.find_user_ids(text), carryover.schema_version() to carryover_admin;
--> statement-breakpoint
grant select on carryover.users, carryover.counts, carryover.outcomes, carryover.chains to carryover_admin;
