"""Minute facts to KPI values over every window, in SQL; the numbers are those of the list in `oracle_definitions`."""

COEFFICIENTS = """
create table minutes as select unnest(generate_series($first, $end - 60000000, 60000000)) as minute;

create table local_minutes as
select minute, extract(month from here)::int as month,
    (extract(hour from here) * 60 + extract(minute from here))::int as clock
from (select minute, timezone((select zone from site), make_timestamptz(minute)) as here from minutes);

-- 21, 22: what a unit of a carrier stands for in each minute
create table coefficients as
with editions as (
    select carrier, quantity, since, value from factors
    union all select carrier, 'energy', since, ncv / 29.3076 from fuels
    union all select carrier, 'co2_direct', since, ncv * carbon * oxidation * 44 / 12 / 1000 from fuels
), dated as (
    select *, lead(since, 1, 9223372036854775807) over (partition by carrier, quantity order by since) as until
    from editions
)
select carrier, quantity, minute, value from dated join minutes on minute >= since and minute < until
union all
select p.carrier, 'cost', m.minute, p.price
from local_minutes m join prices p on p.month = m.month
    and case when p.from_minute < p.to_minute then m.clock >= p.from_minute and m.clock < p.to_minute
        else m.clock >= p.from_minute or m.clock < p.to_minute end
where p.since = (select max(since) from prices q where q.carrier = p.carrier and q.since <= m.minute);
"""

TERMS = """
-- what a point brings in a minute, and the least and the most it could (26); `mean` likewise of a level
create table ends as
select point, carrier, kind, case when kind = 'rate' then range_lo * 6e13 / rate_unit else hour_lo * 1e6 / 60 end as lo,
    case when kind = 'rate' then range_hi * 6e13 / rate_unit else hour_hi * 1e6 / 60 end as hi, range_lo, range_hi
from points;

create table brought as
with every as (
    select e.*, m.minute, coalesce(f.known, false) as known, f.amount, f.mean, f.quality,
        coalesce(f.estimated, 0) > 0 as estimated,
        coalesce(f.known and (f.estimated = 0 or e.kind = 'interval'), false) as sure
    from ends e cross join minutes m left join facts f on f.point = e.point and f.minute = m.minute
    where e.point in (select unnest([point, flow, supply, back]) from terms)
)
select *, case when sure then amount else lo end as amount_lo, case when sure then amount else hi end as amount_hi,
    case when sure then mean else range_lo end as mean_lo, case when sure then mean else range_hi end as mean_hi
from every;

-- 21: the terms of every KPI minute by minute [1e-6]; hours in minutes; a tie is what binary fractions decide
create table term_minutes as
with read as (
    select t.kpi, t.side, t.term, t.form, t.times, a.minute,
        a.known and coalesce(q.known, true) and coalesce(s.known, true) and coalesce(b.known, true) as known,
        a.sure and coalesce(q.sure, true) and coalesce(s.sure, true) and coalesce(b.sure, true) as sure,
        greatest(a.quality, q.quality, s.quality, b.quality) as quality,
        a.estimated or coalesce(q.estimated, false) or coalesce(s.estimated, false) or coalesce(b.estimated, false)
            as estimated,
        c.value as factor,
        case t.form when 'load' then a.mean * (q.amount * 1e-6) * 1e-3 / 1e-6
            when 'cooling' then a.mean * 1e6 / 60 * (b.mean - s.mean) * 1.163
            when 'hours' then 1e6 else a.amount end as raw,
        case t.form when 'load' then q.amount_lo * a.mean_lo / 1000
            when 'cooling' then 1.163
                * least(a.amount_lo * (b.mean_lo - s.mean_hi), a.amount_hi * (b.mean_lo - s.mean_hi))
            when 'hours' then case when a.known then 1e6 else 0 end else a.amount_lo end as raw_lo,
        case t.form when 'load' then q.amount_hi * a.mean_hi / 1000
            when 'cooling' then 1.163
                * greatest(a.amount_lo * (b.mean_hi - s.mean_lo), a.amount_hi * (b.mean_hi - s.mean_lo))
            when 'hours' then 1e6 else a.amount_hi end as raw_hi
    from terms t
    join brought a on a.point = t.point
    left join brought q on q.point = t.flow and q.minute = a.minute
    left join brought s on s.point = t.supply and s.minute = a.minute
    left join brought b on b.point = t.back and b.minute = a.minute
    left join coefficients c on c.carrier = a.carrier and c.quantity = t.form and c.minute = a.minute
), derived as (
    select *, case when factor is null then raw else raw * 1e-6 * factor / 1e-6 end as whole from read
)
select kpi, side, term, minute, known, sure, quality, estimated, factor,
    round_even(round_even(whole, 0) * times, 0)::bigint as spread, case when known then spread end as amount,
    abs(whole - floor(whole) - 0.5) < 1e-6 as half, coalesce(known and half, false) as tie,
    raw_lo * coalesce(factor, 1) * times as lo, raw_hi * coalesce(factor, 1) * times as hi
from derived;

create table kpi_minutes as
with sums as (
    select kpi, minute, bool_and(known) as known, bool_and(sure) as sure, max(quality) as quality,
        bool_or(estimated) as estimated,
        sum(tie::int) as ties,
        sum(amount) filter (side = 'numerator') as n, sum(amount) filter (side = 'denominator') as d,
        case when count(*) filter (side = 'numerator') = count(lo) filter (side = 'numerator')
            then sum(lo) filter (side = 'numerator') end as n_lo,
        case when count(*) filter (side = 'numerator') = count(hi) filter (side = 'numerator')
            then sum(hi) filter (side = 'numerator') end as n_hi,
        coalesce(sum(lo) filter (side = 'denominator'), 0) as d_lo,
        coalesce(sum(hi) filter (side = 'denominator'), 0) as d_hi
    from term_minutes group by kpi, minute
)
select kpi, minute, known, sure, quality, estimated, ties, n::bigint as n, d::bigint as d, n_lo::bigint as n_lo,
    n_hi::bigint as n_hi, d_lo::bigint as d_lo, d_hi::bigint as d_hi
from sums;
"""

PIECES = """
-- 23: runs of unknown minutes that every term can bridge
create table runs as
with unknown as (
    select kpi, minute, n_lo, n_hi, d_lo, d_hi,
        minute // 60000000 - row_number() over (partition by kpi order by minute) as island
    from kpi_minutes where not known
)
select row_number() over () as run, kpi, min(minute) as since, max(minute) + 60000000 as until, count(*) as minutes,
    sum(n_lo) as n_lo, sum(n_hi) as n_hi, sum(d_lo) as d_lo, sum(d_hi) as d_hi
from unknown group by kpi, island;

create table run_terms as
select r.run, r.since, r.until, t.* from runs r join terms t using (kpi);

-- unknown time of the points of a term in a run, and how much of it the gaps with a total explain
create table holes as
select r.run, r.side, r.term, x.point, sum(60000000 - coalesce(f.covered, 0)) as hole,
    min(m.minute) as since, max(m.minute) + 60000000 as until
from run_terms r, unnest([r.point, r.flow, r.supply, r.back]) as x(point)
join minutes m on m.minute >= r.since and m.minute < r.until
left join facts f on f.point = x.point and f.minute = m.minute
where x.point is not null and not coalesce(f.known, false)
group by all;

create table bridges as
select h.run, h.side, h.term, h.point, any_value(h.hole) as hole,
    sum(g.amount) as total, min(g.since) // 60000000 * 60000000 as since,
    (max(g.until) + 59999999) // 60000000 * 60000000 as until,
    sum(least(g.until, h.until) - greatest(g.since, h.since)) as explained
from holes h left join gaps g on g.point = h.point and g.since < h.until and g.until > h.since
group by h.run, h.side, h.term, h.point;

create table run_amounts as
with flags as (
    select r.run, r.kpi, r.side, r.term, r.form, r.times,
        count(b.point) as missing,
        bool_and(b.point is null or b.point = r.point and r.form not in ('load', 'cooling', 'hours')
            and b.total is not null and b.explained = b.hole) as bridged,
        any_value(b.total) as total, min(b.since) as since, max(b.until) as until
    from run_terms r left join bridges b on b.run = r.run and b.side = r.side and b.term = r.term
    group by all
)
-- 21: rounded minute by minute, like any other amount
select f.*, sum(case when t.known or bridged then t.spread end) as amount, min(t.factor) = max(t.factor) as same,
    sum((not t.known and t.half)::int) as ties
from flags f join runs r using (run)
join term_minutes t on t.kpi = f.kpi and t.side = f.side and t.term = f.term
    and t.minute >= r.since and t.minute < r.until
group by all;

create table pieces as
with amounts as (
    select run, side, min(since) as since, max(until) as until,
        bool_and(bridged and (missing = 0 or coalesce(same, true))) as bridged,
        sum(amount) as amount, sum(ties) as ties
    from run_amounts group by run, side
)
select r.run, r.kpi, least(r.since, min(a.since)) as since, greatest(r.until, max(a.until)) as until, r.minutes,
    coalesce(sum(a.amount) filter (side = 'numerator'), 0) as n,
    coalesce(sum(a.amount) filter (side = 'denominator'), 0) as d, sum(a.ties) as ties, r.n_lo, r.n_hi, r.d_lo, r.d_hi
from runs r join amounts a using (run)
group by r.run, r.kpi, r.since, r.until, r.minutes, r.n_lo, r.n_hi, r.d_lo, r.d_hi having bool_and(a.bridged);
"""

WINDOWS = """
create table spans as
with marks as (
    select minute + 60000000 as until from minutes
), here as (
    select until, timezone((select zone from site), make_timestamptz(until)) as here,
        timezone((select zone from site), make_timestamptz(until - 60000000)) as before
    from marks where until % 900000000 = 0
), shifted as (
    select h.until, s.from_minute, (extract(hour from before) * 60 + extract(minute from before))::int as clock, before,
        s.to_minute
    from here h cross join shifts s
)
select '15 min' as span, until - 900000000 as since, until from here
union all select '1 h', until - 3600000000, until from here
union all select '7 d', until - 7 * 86400000000, until from here where until % 3600000000 = 0
union all select '30 d', until - 30 * 86400000000, until from here where until % 3600000000 = 0
union all select '12 months', epoch_us(timezone((select zone from site), here - interval 12 months)), until
    from here where here = date_trunc('day', here)
union all select 'shift', epoch_us(timezone((select zone from site),
        date_trunc('day', before) - case when from_minute > clock then interval 1 day else interval 0 day end
        + from_minute * interval 1 minute)), until
    from shifted where case when from_minute < to_minute then clock >= from_minute and clock < to_minute
        else clock >= from_minute or clock < to_minute end
union all select 'day', epoch_us(timezone((select zone from site), date_trunc('day', before))), until
    from here where until % 3600000000 = 0
union all select 'month', epoch_us(timezone((select zone from site), date_trunc('month', before))), until
    from here where until % 3600000000 = 0
union all select 'year', epoch_us(timezone((select zone from site), date_trunc('year', before))), until
    from here where until % 3600000000 = 0
union all select 'audit', (select audit_from from site), until from here where until % 3600000000 = 0;
"""

RUNNING = """
create table running as
select kpi, minute + 60000000 as until,
    sum(known::int) over w as known, sum(case when known then n else 0 end) over w as n,
    sum(case when known then coalesce(d, 0) else 0 end) over w as d,
    sum(case when sure then n else n_lo end) over w as n_lo, sum(case when sure then n else n_hi end) over w as n_hi,
    sum(case when sure then coalesce(d, 0) else d_lo end) over w as d_lo,
    sum(case when sure then coalesce(d, 0) else d_hi end) over w as d_hi,
    sum(case when known then ties else 0 end) over w as ties, sum((known and quality = 2)::int) over w as suspect,
    sum((known and estimated)::int) over w as estimated,
    sum((not sure and n_lo is null)::int) over w as open_lo, sum((not sure and n_hi is null)::int) over w as open_hi
from kpi_minutes window w as (partition by kpi order by minute rows unbounded preceding)
union all
select kpi, $first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from kpis;
"""

VALUES = """
create table in_window as
with ends_of as (
    select k.kpi, s.span, s.since, s.until, (s.until - s.since) // 60000000 as minutes, s.since >= $first as whole,
        b.known - a.known as known, b.n - a.n as n, b.d - a.d as d, b.n_lo - a.n_lo as n_lo, b.n_hi - a.n_hi as n_hi,
        b.d_lo - a.d_lo as d_lo, b.d_hi - a.d_hi as d_hi, b.ties - a.ties as ties,
        b.suspect - a.suspect as suspect,
        b.estimated - a.estimated as estimated, b.open_lo - a.open_lo as open_lo, b.open_hi - a.open_hi as open_hi
    from spans s cross join kpis k
    join running a on a.kpi = k.kpi and a.until = greatest(s.since, $first)
    join running b on b.kpi = k.kpi and b.until = s.until
), added as (
    select b.kpi, b.span, b.since, b.until, sum(p.minutes) as minutes, sum(p.n) as n, sum(p.d) as d,
        sum(p.ties) as ties, sum(p.n_lo) as n_lo, sum(p.n_hi) as n_hi, sum(p.d_lo) as d_lo, sum(p.d_hi) as d_hi
    from ends_of b join pieces p on p.kpi = b.kpi and p.since >= b.since and p.until <= b.until
    group by all
)
select b.* exclude (known, n, d, ties, n_lo, n_hi, d_lo, d_hi), b.ties + coalesce(p.ties, 0) as ties,
    b.known + coalesce(p.minutes, 0) as known,
    coalesce(p.minutes, 0) as pieced, b.n + coalesce(p.n, 0) as n, b.d + coalesce(p.d, 0) as d,
    b.n_lo + coalesce(p.n - p.n_lo, 0) as n_lo, b.n_hi + coalesce(p.n - p.n_hi, 0) as n_hi,
    b.d_lo + coalesce(p.d - p.d_lo, 0) as d_lo, b.d_hi + coalesce(p.d - p.d_hi, 0) as d_hi
from ends_of b left join added p using (kpi, span, since, until);

create table kpi_values as
with shares as (
    select w.*, k.times, k.ratio, k.n_scale, k.d_scale, w.known / w.minutes as coverage,
        case when w.known / w.minutes < k.coverage_limit then 'coverage'
            when k.ratio and (w.d <= 0 or w.d / 1e6 * k.d_scale < k.minimum) then 'minimum' end as reason
    from in_window w join kpis k using (kpi)
), bounds as (
    select *, case when whole and open_lo = 0 then times * case
            when not ratio then n_lo / 1e6 when d_hi > 0 then n_lo / d_hi / d_scale end * n_scale end as low,
        case when whole and open_hi = 0 then times * case
            when not ratio then n_hi / 1e6 when d_lo > 0 then n_hi / d_lo / d_scale end * n_scale end as high
    from shares
)
select kpi, span, since, until, minutes, pieced, ties, estimated as estimated_minutes, n / 1e6 * n_scale as numerator,
    case when ratio then d / 1e6 * d_scale end as denominator, coverage, reason, low, high,
    case when reason is not null then null when ratio then times * n / d * n_scale / d_scale
        else least(greatest(times * n / 1e6 * n_scale / coverage, coalesce(low, '-infinity')),
            coalesce(high, 'infinity')) end
        as value,
    case when reason is not null then 3 when suspect > 0 then 2
        when estimated > 0 or pieced > 0 or not ratio and known < minutes then 1 else 0 end as quality
from bounds;
"""
