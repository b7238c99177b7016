"""Raw readings to what is used of them, and that as segments: stretches of time over which a point is known, in SQL.

The numbers in comments are those of the list in `oracle_definitions`.
"""

ACCEPT = """
-- 1, 2: what is too far ahead or too far behind
create table arrived as
with dated as (
    select r.*, p.device, p.disorder, received // 60000000 * 60000000 as tick
    from readings r join points p using (point)
), ahead as (select *, time > tick + 60000000 as future from dated)
select *, coalesce(time < least(tick, max(case when not future then time end) over (
        partition by device order by received, row rows between unbounded preceding and 1 preceding) - disorder)
    - 86400000000, false) as late
from ahead;

-- 3, 4: one value a point and time, or none
create table usable as
with rounded as (
    select a.point, a.time, a.quality, p.kind,
        case when p.kind in ('counter', 'net', 'interval', 'count')
            then round_even(a.value * 1e6 / p.resolution, 0) * p.resolution else a.value end as value
    from arrived a join points p using (point)
    where not future and not late and a.quality < 3 and isfinite(a.value)
      and coalesce(a.value between p.range_lo and p.range_hi, true)
      and (p.kind <> 'interval' or coalesce(a.value * 3600000000 / p.span between p.hour_lo and p.hour_hi, true))
)
select point, time, any_value(kind) as kind, min(value) as value, min(quality) as quality
from rounded group by point, time having min(value) = max(value);
"""

FREEZE = """
-- 13, 14: unchanged stretches; how long the witness moved meanwhile
create table flat as
with marked as (
    select *, value is distinct from lag(value) over w as changed from usable
    where kind = 'counter' window w as (partition by point order by time)
), numbered as (
    select *, sum(changed::int) over (partition by point order by time rows unbounded preceding) as run from marked
)
select point, min(time) as since, max(time) as until from numbered group by point, run having count(*) > 1;

create table moves as
select * from (
    select point, lag(time) over w as since, time as until, value is distinct from lag(value) over w as changed
    from usable where kind = 'counter' window w as (partition by point order by time)
) where changed and since is not null;

create table frozen as
select f.point, f.since, f.until
from flat f join points p using (point)
join moves m on m.point = p.witness and m.since < f.until and m.until > f.since
where f.until - f.since > p.flat_limit
group by f.point, f.since, f.until, p.flat_limit
having sum(least(m.until, f.until) - greatest(m.since, f.since)) > p.flat_limit;

create table standing as
select f.point, f.since + p.flat_after as since, f.until from flat f join points p using (point)
where p.witness is null and f.until - f.since > p.flat_after;
"""

JUDGE = """
create table counted as
select u.point, u.time, u.value::bigint as value, u.quality,
    row_number() over (partition by u.point order by u.time) as n
from usable u
where u.kind = 'counter' and not exists (
    select 1 from frozen f where f.point = u.point and u.time > f.since and u.time <= f.until);

-- 8, 12: falls, and rises beyond the rate, that come back; of two that overlap the earlier one is the matter
create table suspects as
with pairs as (
    select c.*, p.hour_hi, p.on_fall, p.dip_limit, lag(c.value) over w as last, lag(c.time) over w as last_time
    from counted c join points p using (point) window w as (partition by c.point order by c.time)
)
select s.*, s.value < s.last as fell from pairs s
where (s.value < s.last or s.value - s.last > s.hour_hi * ((s.time - s.last_time) / 3600.0))
  and not exists (select 1 from exchanges e where e.point = s.point and e.moment > s.last_time and e.moment <= s.time);

create table returns as
select s.point, s.n as first, min(j.n) as back
from suspects s join counted j on j.point = s.point and j.n > s.n
where j.value >= s.last and coalesce(j.value - s.last <= s.hour_hi * ((j.time - s.last_time) / 3600.0), true)
  and case when s.fell and s.on_fall = 'reset' then s.last - s.value < s.dip_limit * s.last
      else j.n <= s.n + 3 or j.time <= s.time + 900000000 end
group by s.point, s.n;

create table excursions as
select * from returns r where not exists (
    select 1 from returns q where q.point = r.point and q.first < r.first and r.first <= q.back);

create table accepted as
select c.point, c.time, c.value, c.quality from counted c
where not exists (select 1 from excursions x where x.point = c.point and c.n >= x.first and c.n < x.back)
union all
select point, time, value::bigint, quality from usable where kind = 'net';

-- the forward steps; `amount` is null when nobody can know it (9, 10, 11)
create table steps as
with pairs as (
    select a.*, lag(a.time) over w as since, lag(a.value) over w as last, lag(a.quality) over w as last_quality,
        lead(a.value) over w as next
    from accepted a window w as (partition by a.point order by a.time)
), known as (
    select s.*, p.kind, p.on_fall, p.modulus, e.closing, e.opening,
        p.hour_hi * ((s.time - s.since) / 3600.0) as most
    from pairs s join points p using (point)
    left join exchanges e on e.point = s.point and e.moment > s.since and e.moment <= s.time
    where s.since is not null
), named as (
    select *, case
        when kind = 'net' then 'rise'
        when closing is not null then 'exchange'
        when value >= last and coalesce(value - last <= most, true) then 'rise'
        when value >= last then 'undeclared'
        when on_fall = 'reset' then 'reset'
        when value - last + modulus <= coalesce(most, 'infinity'::double) then 'rollover'
        when value < 0.9 * last and next > value and next < 0.9 * last and coalesce(value <= most, true) then 'reset'
        else 'undeclared' end as what
    from known
)
select point, since, time as until, what, greatest(quality, last_quality) as quality, case what
    when 'rise' then value - last
    when 'exchange' then closing - last + value - opening
    when 'rollover' then value - last + modulus
    when 'reset' then value end as amount
from named;
"""

SEGMENTS = """
-- 5, 6, 7, 10, 14: what is known of counters and nets; gaps are spread evenly too, but not covered
create table spread as
with doubted as (
    select *, what = 'reset' or exists (
        select 1 from frozen f where f.point = steps.point and steps.since < f.until and steps.until > f.since
    ) as doubtful from steps
)
select s.point, s.since, s.until, s.amount, s.what,
    s.what <> 'reset' and (s.until - s.since <= p.silence
        or p.gap = 'interpolate' and s.until - s.since <= coalesce(p.gap_limit, s.until - s.since)) as covered,
    s.what = 'reset' or 2 * (s.until - s.since) > p.silence as filled,
    greatest(s.quality, filled::int, case when s.doubtful or exists (
        select 1 from standing f where f.point = s.point and s.until > f.since and s.since <= f.until
    ) then 2 else 0 end) as quality, s.doubtful
from doubted s join points p using (point)
where s.amount is not null;

create table gaps as select point, since, until, amount from spread where not covered and not doubtful;

-- 3: intervals: begin to end of their span
insert into spread
select u.point, case p.stamp when 'end' then u.time - p.span else u.time end as since, since + p.span as until,
    u.value::bigint, 'interval', true, true, greatest(u.quality, 1), false
from usable u join points p using (point) where p.kind = 'interval';

-- 7, 15, 16, 18: what holds from a reading to the next, even to one that cannot be used
create table held as
with seen as (
    select point, time, kind, value, quality, true as good from usable
    where kind in ('rate', 'level', 'sample', 'count')
    union all
    select a.point, a.time, any_value(p.kind), null, null, false
    from arrived a join points p using (point)
    where not future and not late and p.kind in ('rate', 'level', 'sample')
      and not exists (select 1 from usable u where u.point = a.point and u.time = a.time)
    group by a.point, a.time
), pairs as (
    select *, lead(time, 1, 9223372036854775807) over (partition by point order by time) as next from seen
), limits as (
    select n.*, p.valid, p.silence,
        greatest(p.silence, case when p.gap = 'hold' then coalesce(p.gap_limit, 9223372036854775807) else 0 end) as most
    from pairs n join points p using (point) where good
)
select point, kind, value, quality, time as since, false as filled, case kind
    when 'sample' then least(next, time + valid)
    when 'count' then case when next - time <= silence then next else time end
    else least(next, time + silence // 2) end as until
from limits
union all
select point, kind, value, greatest(quality, 1), time + silence // 2, true, least(next, time + most)
from limits where kind in ('rate', 'level') and next > time + silence // 2;
delete from held where until <= since;
"""
