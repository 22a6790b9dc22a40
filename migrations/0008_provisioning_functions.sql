-- Ends a plan that has nothing pending. Locks the plan before it looks, so that items which become pending again at the same
-- moment are seen: a new statement of a function sees what was committed before it began.
create function carryover.finish_plan(finished uuid) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from carryover.plans p where p.id = finished and p.state = 'running' for update;
  if not found then
    return false;
  end if;
  if exists (select from carryover.plan_items i where i.plan = finished and i.state = 'pending') then
    return false;
  end if;
  update carryover.plans p set state = 'done', ended_at = clock_timestamp() where p.id = finished;
  return true;
end $$;
--> statement-breakpoint
-- Refused and postponed items become pending again, and a finished plan runs again; how many. Who was tried before may have
-- been heard, so one try stays counted.
create function carryover.retry_failed(plan_again uuid) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  again bigint;
begin
  perform from carryover.plans p where p.id = plan_again and p.state <> 'stopped' for update;
  if not found then
    return 0;
  end if;
  with failed as (
    select i.place, i.action, i.method, i.state, coalesce(i.reason, '') as reason from carryover.plan_items i
    where i.plan = plan_again and i.state in ('refused', 'postponed') order by i.place for update
  ),
  reset as (
    update carryover.plan_items i
    set state = 'pending', reason = null, target_code = null, target_text = null, ended_at = null,
      attempts = least(i.attempts, 1), lease_until = null, leased_by = null
    from failed f where i.plan = plan_again and i.place = f.place
    returning f.action, f.method, f.state, f.reason
  ),
  counted as (
    insert into carryover.plan_counts as c (plan, action, method, state, reason, users)
    select plan_again, d.* from (
      select r.action, r.method, r.state, r.reason, -count(*) as users from reset r group by 1, 2, 3, 4
      union all
      select r.action, r.method, 'pending', '', count(*) from reset r group by 1, 2
    ) d
    order by 2, 3, 4, 5
    on conflict (plan, action, method, state, reason) do update set users = c.users + excluded.users
  )
  select count(*) into again from reset;
  if again > 0 then
    update carryover.plans p set state = 'running', ended_at = null, paused_for = null
    where p.id = plan_again and p.state = 'done';
  end if;
  return again;
end $$;
--> statement-breakpoint
revoke all on function carryover.finish_plan(uuid), carryover.retry_failed(uuid) from public;
--> statement-breakpoint
grant execute on function carryover.finish_plan(uuid), carryover.retry_failed(uuid) to carryover_provision;
