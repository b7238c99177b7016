"""Segments to minute facts, in SQL; the numbers in comments are those of the list in `oracle_definitions`."""

COUNTED = """
-- 5: differences of the running share, in whole numbers, halves to even
create table spread_parts as
with minutes as (
    select *, unnest(generate_series(since // 60000000 * 60000000, (until - 1) // 60000000 * 60000000, 60000000))
        as minute from spread
), cut as (
    select *, greatest(since, minute) as a, least(until, minute + 60000000) as b, until - since as length,
        abs(amount)::hugeint as whole
    from minutes
), shares as (
    select *, whole * (a - since) // length as qa, whole * (a - since) % length as ra,
        whole * (b - since) // length as qb, whole * (b - since) % length as rb
    from cut
)
select point, minute, a, b, covered, filled, quality, sign(amount) * (
    qb + (2 * rb > length or 2 * rb = length and qb % 2 = 1)::int
    - qa - (2 * ra > length or 2 * ra = length and qa % 2 = 1)::int)::bigint as part
from shares;

create table counted_facts as
with sums as (
    select point, minute, sum(part)::bigint as amount, sum(case when covered then b - a else 0 end) as covered,
        sum(case when filled then b - a else 0 end) as filled, max(quality) as quality
    from spread_parts group by point, minute
), grid as (
    select point, unnest(generate_series(min(time) // 60000000 * 60000000, max(time), 60000000)) as minute
    from accepted group by point
), latest as (
    select point, time // 60000000 * 60000000 as minute, arg_max(value, time) / 1e6 as last from accepted group by all
), lasts as (
    select g.point, g.minute,
        last_value(l.last ignore nulls) over (partition by g.point order by g.minute rows unbounded preceding) as last
    from grid g left join latest l on l.point = g.point and l.minute = g.minute
)
select coalesce(s.point, l.point) as point, coalesce(s.minute, l.minute) as minute, s.amount, null::double as mean,
    null::double as min, null::double as max, l.last, coalesce(s.covered, 0) as covered,
    coalesce(s.filled, 0) as filled, coalesce(s.quality, 3) as quality
from sums s full join lasts l on l.point = s.point and l.minute = s.minute;
"""

HELD = """
create table held_parts as
with minutes as (
    select *, unnest(generate_series(since // 60000000 * 60000000, (until - 1) // 60000000 * 60000000, 60000000))
        as minute from held
)
select *, greatest(since, minute) as a, least(until, minute + 60000000) as b from minutes;

-- 15, 17: rates, levels and samples
create table held_facts as
with sums as (
    select point, minute, sum(value * (b - a)) as area, sum(b - a) as covered,
        sum(case when filled then b - a else 0 end) as filled, min(value) as min, max(value) as max,
        arg_max(value, a) as last, max(quality) as quality
    from held_parts where kind <> 'count' group by point, minute
)
select s.point, s.minute,
    case when p.kind = 'rate' then round_even(
        case when s.covered >= 54000000 then s.area / s.covered * 60000000 else s.area end
        / p.rate_unit * 1e6, 0)::bigint end as amount,
    s.area / s.covered as mean, s.min, s.max, s.last, s.covered,
    s.filled + case when p.kind = 'rate' and s.covered >= 54000000 then 60000000 - s.covered else 0 end as filled,
    greatest(s.quality, (p.kind = 'rate' and s.covered between 54000000 and 59999999)::int) as quality
from sums s join points p using (point);

-- 18: counts
create table count_facts as
with alive as (
    select point, minute, 60000000 as covered, max(quality) as quality from held_parts where kind = 'count'
    group by point, minute
), events as (
    select point, time // 60000000 * 60000000 as minute, sum(value)::bigint as amount, max(quality) as quality
    from usable where kind = 'count' group by all
)
select a.point, a.minute, coalesce(e.amount, 0) as amount, null::double as mean, null::double as min,
    null::double as max, null::double as last, a.covered, 0 as filled,
    greatest(a.quality, coalesce(e.quality, 0)) as quality
from alive a left join events e using (point, minute);
"""

ALL = """
-- 20
create table facts as
with every as (
    select * from counted_facts union all select * from held_facts union all select * from count_facts
)
select point, minute, amount, mean, min, max, last, covered / 6e7 as coverage, filled / 6e7 as estimated,
    quality, covered >= 54000000 as known, covered
from every where minute >= $first and minute < $end;
"""
