"""Puts two answers side by side: every row and column in which the product and the oracle disagree."""

from __future__ import annotations

import polars as pl

CLOSE = 1e-9
EXACT = ("amount",)
FACT_FLOATS = ("mean", "min", "max", "last")
FLOAT32 = ("coverage", "estimated")
MICRO = 1.0000001e-6


def facts(oracle: pl.DataFrame, product: pl.DataFrame, first: int, end: int) -> pl.DataFrame:
    """Disagreements of minute facts: (column, point, minute, oracle, product). A fact that is not there is unknown."""
    inside = product.filter(pl.col("minute") >= first, pl.col("minute") < end)
    both = oracle.join(inside, on=["point", "minute"], how="full", coalesce=True, suffix="_product")
    both = both.with_columns(
        pl.col("coverage", "coverage_product", "estimated", "estimated_product").fill_null(0.0),
        pl.col("quality", "quality_product").fill_null(3),
    )
    agreed = {name: pl.col(name).eq_missing(pl.col(f"{name}_product")) for name in ("amount", "quality")}
    agreed |= {name: _close(name, CLOSE * pl.col(name).abs().clip(1e-3)) for name in FACT_FLOATS}
    agreed |= {name: _close(name, pl.lit(1e-6)) for name in FLOAT32}
    return _listed(both, agreed, ["point", "minute"])


def kpis(oracle: pl.DataFrame, product: pl.DataFrame, first: int, end: int) -> pl.DataFrame:
    """Disagreements of KPI values: (column, kpi, span, since, until, oracle, product).

    Sums of a point's amounts have to be equal; a derived one may differ by 1e-6 for each minute that ended on half of
    1e-6 (binary fractions decide such a tie), and by 1e-6 for its own rounding. Bounds only of windows within the data.
    """
    inside = product.filter(pl.col("until") > first, pl.col("until") <= end)
    both = oracle.join(
        inside, on=["kpi", "span", "since", "until"], how="full", coalesce=True, suffix="_product", nulls_equal=True
    )
    ties = pl.when(pl.col("derived")).then((pl.col("ties") + 1) * MICRO).otherwise(4e-7)
    relative = ties / pl.col("numerator").abs() + (ties / pl.col("denominator").abs()).fill_null(0.0)
    slack = pl.col("value").abs() * (CLOSE + pl.when(pl.col("derived")).then(relative).otherwise(0.0))
    agreed = {
        "numerator": _close("numerator", ties),
        "denominator": _close("denominator", ties),
        "value": _close("value", slack.fill_nan(0.0).fill_null(0.0)),
        "coverage": _close("coverage", pl.lit(CLOSE)),
        "quality": pl.col("quality").eq_missing(pl.col("quality_product")),
    }
    # a bound moves with the range of every unknown minute, each rounded to 1e-6; `divisor` is about what divides it
    unknown = ties + ((1 - pl.col("coverage")) * pl.col("minutes") + pl.col("estimated_minutes")) * MICRO
    for name in ("low", "high"):
        bound = pl.col(name).abs() / pl.col("times")
        divisor = pl.min_horizontal("denominator", pl.col("numerator").abs() / bound)
        divisor = pl.when(pl.col("denominator").is_null()).then(1.0).otherwise(divisor.clip(1e-3))
        room = unknown * pl.col("times") * (1 + bound) / divisor * 2
        agreed[name] = (pl.col("since") < first) | _close(name, CLOSE * pl.col(name).abs() + room)
    return _listed(both, agreed, ["kpi", "span", "since", "until"])


def _close(name: str, room: pl.Expr) -> pl.Expr:
    mine, other = pl.col(name), pl.col(f"{name}_product")
    return ((mine - other).abs() <= room).fill_null(False) | mine.is_null() & other.is_null()


def _listed(both: pl.DataFrame, agreed: dict[str, pl.Expr], keys: list[str]) -> pl.DataFrame:
    found = [
        both.filter(~expression).select(
            pl.lit(name).alias("column"),
            *keys,
            pl.col(name).cast(pl.Float64).alias("oracle"),
            pl.col(f"{name}_product").cast(pl.Float64).alias("product"),
        )
        for name, expression in agreed.items()
    ]
    return pl.concat(found)
