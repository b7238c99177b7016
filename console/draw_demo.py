"""The demo's truth beside the estimate as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from console.draw_shift import excess, onset
from console.figures import MINUS, SPACE, Moments, duration, quantity, signed
from console.markup import chip, div, join, span
from console.views_demo import DATA, Verdict
from console.words import Words


def verdicts(found: Sequence[Verdict], words: Words, moments: Moments, speed: float, live_since: int) -> Markup:
    """Every fault with what was really done, what keepclean says of it, and how long that took.

    Real time is said only of faults that began after `live_since` [µs]: history was computed, not waited for.
    """
    if not found:
        return div("kc-empty", words("no_truth"))
    return join(_verdict(verdict, words, moments, speed if verdict.onset >= live_since else 0.0) for verdict in found)


def _verdict(verdict: Verdict, words: Words, moments: Moments, speed: float) -> Markup:
    drift = verdict.drift
    if verdict.kind == DATA:
        status = chip("plain", words("a_notice"))
    elif drift is None:
        status = chip("plain", words("not_yet"))
    elif verdict.took is not None:
        real = words("real_time", span=duration(int(verdict.took / speed))) if speed else ""
        status = join((chip("good", f"{words('detected_in')} {duration(verdict.took)}"), span("kc-small", real)), " ")
    else:
        status = chip("plain", words("unknown"))
    ended = span("kc-small", words("off", time=moments.short(verdict.end))) if verdict.end else None
    return div(
        "kc-verdict",
        div(
            "kc-alarm-head",
            span("kc-alarm-title", words.title(verdict.title)),
            span("kc-scope", words.point(verdict.point)),
            ended,
            status,
        ),
        div("kc-truth", *_comparison(verdict, words, moments)),
    )


def _comparison(verdict: Verdict, words: Words, moments: Moments) -> list[Markup]:
    """Truth and estimate of onset and size, as pairs of name and value; a data fault has no estimate to compare."""
    drift = verdict.drift
    pairs: list[tuple[str, Markup]] = [(words("true_onset"), span("kc-strong", moments.short(verdict.onset)))]
    if verdict.kind != DATA:
        not_yet = words("not_yet")
        pairs += [
            (words("estimated"), span("", onset(drift, words, moments) if drift else not_yet, _late(verdict))),
            (words("true_size"), span("kc-strong", _size(verdict, words))),
            (words("estimated"), span("", excess(drift, words) if drift else not_yet, _wrong(verdict))),
        ]
    return [part for name, value in pairs for part in (span("kc-fact-name", name), value)]


def _size(verdict: Verdict, words: Words) -> str:
    if verdict.size is None:
        return words("not_known")
    ending = f" ({words('at_its_end')})" if verdict.kind == "slow" else ""
    return f"{quantity(verdict.size, verdict.unit)} {words('per_hour')}{ending}"


def _late(verdict: Verdict) -> Markup | None:
    error = verdict.onset_error
    if error is None:
        return None
    sign = "±" if error == 0 else MINUS if error < 0 else "+"
    return span("kc-small kc-error", f" {sign}{duration(abs(error))}")


def _wrong(verdict: Verdict) -> Markup | None:
    error = verdict.size_error
    return None if error is None else span("kc-small kc-error", f" {signed(error, 0)}{SPACE}%")


def running(targets: Sequence[str], words: Words) -> Markup:
    """Where a fault is switched on."""
    return chip("bad", f"{words('running')}: {', '.join(targets)}")
