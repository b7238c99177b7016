"""What a KPI is made of, in words: its formula, its product and how it is shared, what bounds it."""

from __future__ import annotations

from collections.abc import Sequence

from console.words import Words
from plant.model import Kpi, Term
from plant.model_measured import Kind

FACTORED = ("energy", "co2_direct", "co2_location", "co2_market", "cost")


def formula(kpi: Kpi, words: Words) -> str:
    """The formula with the points' titles, as 1,000 × Σ (City water) / Σ (Zinc line area + Nickel line area)."""
    upper = _sum(kpi.numerator, words)
    if kpi.peak:
        upper = words("formula_peak", sum=upper)
    if kpi.allocate is not None:
        upper += f" × ({_names(kpi.allocate.by, words)} / {_names(kpi.allocate.among, words)})"
    lower = _sum(kpi.denominator, words)
    if kpi.no_more_than:
        lower = f"({words('formula_least', sum=lower, most=_sum(kpi.no_more_than, words))})"
    factor = f"{kpi.times:,.10g} × " if kpi.times != 1 else ""
    return factor + (f"{upper} / {lower}" if kpi.denominator else upper)


def notes(kpi: Kpi, words: Words) -> list[str]:
    """What the formula alone does not say: one sentence each."""
    found = []
    if kpi.allocate is not None:
        by, among = (words.points(names) for names in (kpi.allocate.by, kpi.allocate.among))
        found.append(words("formula_allocated", product=words.product(kpi.product or ""), by=by, among=among))
    elif kpi.product:
        found.append(words("formula_product", product=words.product(kpi.product)))
    if kpi.no_more_than:
        drained = all(term.as_ == "reference_drainage" for term in kpi.no_more_than)
        found.append(words("formula_bounded" if drained else "formula_no_more"))
    if any(term.as_ == "demand" for term in kpi.terms()):
        found.append(words("formula_demand"))
    if any(_drawn(term, words) for term in kpi.terms()):
        found.append(words("formula_stock"))
    return found


def term_text(term: Term, words: Words) -> str:
    """One term without its factor; the change of a stock is said to be one."""
    if _drawn(term, words) and term.as_ in FACTORED:
        point = words("formula_as_stock", point=words.point(term.point))
    else:
        point = words.point(term.point)
    named = {"flow": term.flow, "content": term.content, "oxygen": term.oxygen}
    named |= {"temperature": term.temperature, "supply": term.supply, "return_": term.return_}
    titles = {key: words.point(name) for key, name in named.items() if name is not None}
    numbers = {"reference": term.reference, "per_unit": term.per_unit}
    shown = {key: f"{number:,.6g}" for key, number in numbers.items() if number is not None}
    return words(f"formula_as_{term.as_}", point=point, **titles, **shown)


def _drawn(term: Term, words: Words) -> bool:
    """Whether a term counts the change of a stock: a priced or carried level, or what is named so."""
    point = words.plant.points.get(term.point)
    return term.as_ == "stock" or (term.as_ in FACTORED and point is not None and point.kind is Kind.LEVEL)


def _sum(terms: Sequence[Term], words: Words) -> str:
    parts = []
    for place, term in enumerate(terms):
        sign = ("" if place == 0 else " + ") if term.times >= 0 else ("− " if place == 0 else " − ")
        factor = f"{abs(term.times):,.10g} × " if abs(term.times) != 1 else ""
        parts.append(f"{sign}{factor}{term_text(term, words)}")
    return f"Σ ({''.join(parts)})"


def _names(points: Sequence[str], words: Words) -> str:
    return f"Σ ({' + '.join(words.point(point) for point in points)})"
