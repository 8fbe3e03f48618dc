# SPDX-License-Identifier: Apache-2.0
"""What every gap check says in the same words: the test, the gap beside chance, the pairs, and what was out of reach.

A gap check compares one quantity between the groups of one attribute. It hands its numbers to `gap_estimates`, so that
a report, a policy and a reader meet one vocabulary, whatever was compared: ``p_value``, ``p_adjusted``,
``max_min_gap``, ``gap_null_mean``, ``gap_null_95th``, ``minimum_detectable_gap``, ``smallest_parity_margin``,
``difference`` and ``pairwise_p_adjusted``.

References:
    [1] Schuirmann 1987, J. Pharmacokinet. Biopharm. 15: two one-sided tests; with several groups every pair must pass
        (intersection-union, Berger 1982), which needs no correction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from monai_ethics.evidence import Curve, Estimate, Finding
from monai_ethics.fairness.data.groups import label_text, spoken_label
from monai_ethics.statistics.corrections import adjust, correction_text
from monai_ethics.statistics.intervals import Result
from monai_ethics.statistics.permutation import Omnibus

__all__ = [
    "ALONE",
    "Compared",
    "Family",
    "GapCheck",
    "GapNumbers",
    "PairNumbers",
    "ends_text",
    "gap_curves",
    "gap_estimates",
    "parity_level",
]

_BY_DRAWS = "no interval: read it beside its distribution when labels are exchanged"
_P = "a p-value has no interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The tests that one comparison is corrected with.

    Args:
        p_adjusted: its p-value adjusted over them; ``None`` = there is no other test.
        size: number of tests.
        name: what they are, printed.
        correction: how the p-value was adjusted, as in `corrections`.
    """

    p_adjusted: float | None = None
    size: int = 1
    name: str = "this test alone"
    correction: str = "holm"

    def adjusted(self, p: float) -> float:
        """The adjusted p-value of the test whose own is `p`."""
        return p if self.p_adjusted is None else self.p_adjusted

    @property
    def settings(self) -> dict[str, Any]:
        """What a finding prints of it."""
        return {"family": self.size, "family_name": self.name, "family_correction": self.correction}


MOST_PAIRS = 100  # of 200 groups there are 19,900
ALONE = Family()


class Compared(Protocol):
    """What a gap check's `compare` gives."""

    @property
    def p(self) -> float | None:
        """p-value of the omnibus test; ``None`` if there was none."""
        ...


class GapCheck(Protocol):
    """A check that compares one quantity between the groups of one attribute and can wait for its family."""

    @property
    def attribute(self) -> str:
        """Name of the grouping; ``"a*b"`` is an intersection."""
        ...

    def compare(self, data: Any) -> Compared | None:
        """The test alone, or ``None`` if there is nothing to compare."""
        ...

    def finding(self, data: Any, found: Any, family: Family = ..., /) -> Finding:
        """The finding, with the p-value adjusted over the family."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PairNumbers:
    """One pair of groups.

    Args:
        first: label of the first group, ``None`` = not recorded.
        second: label of the second group.
        n: units in both together, those in both counted once.
        result: first minus second with its interval, or another effect.
        p: its own two-sided p-value; ``None`` if there is none.
        parity: the same effect with the interval of level ``parity_level``; ``None`` if there is none.
        neutral: the effect of no difference.
        name: name of the effect.
        unit: its unit.
        estimand: what it estimates.
        joint: its p-value adjusted over all pairs by max-T; used with that correction only.
    """

    first: str | None
    second: str | None
    n: int
    result: Result
    p: float | None
    estimand: str
    parity: Result | None = None
    neutral: float = 0.0
    name: str = "difference"
    unit: str = "1"
    joint: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GapNumbers:
    """The numbers of a comparison.

    Args:
        attribute: the grouping.
        omnibus: the test, and the gap beside chance.
        method: how the test was made, with the number of draws and the seed.
        n: units compared.
        n_unit: what `n` counts.
        unit: unit of the gap.
        gap_estimand: what the gap is, as the end of "largest minus smallest group ...".
        no_gap: why the gap has no value, where it has none.
        detectable: the gap or effect that would have been found; its reason if there is none.
        detectable_name: name of that estimate.
        detectable_estimand: what it is.
        pairs: every pair of judged groups.
        level: nominal coverage of intervals; tests are at one minus it.
        correction: how pairs are adjusted for their number: ``"holm"``, ``"max_t"`` or ``"bh"``.
    """

    attribute: str
    omnibus: Omnibus
    method: str
    n: int
    gap_estimand: str
    detectable: Result
    detectable_estimand: str
    pairs: Sequence[PairNumbers]
    level: float
    n_unit: str = "patients"
    unit: str = "1"
    detectable_name: str = "minimum_detectable_gap"
    detectable_unit: str = "1"
    no_gap: str = "the gap of these groups is not defined"
    correction: str = "holm"


def parity_level(level: float) -> float:
    """Level of the interval that two one-sided tests at one minus `level` need [1]: 0.90 for 0.95."""
    return 1 - 2 * (1 - level)


def gap_estimates(numbers: GapNumbers, *, adjusted: float, family: Family) -> list[Estimate]:
    """Put a comparison into estimates.

    Args:
        numbers: the comparison.
        adjusted: p-value of the omnibus test adjusted over its family.
        family: the tests it is corrected with.

    Returns:
        The estimates, those of the whole attribute first.
    """
    base: dict[str, Any] = {"n": numbers.n, "n_unit": numbers.n_unit}
    test: dict[str, Any] = {"unit": "1", "estimand": "no difference between any groups", "reason": _P, **base}
    omnibus = numbers.omnibus
    gaps = {
        "max_min_gap": (omnibus.gap, f"largest minus smallest group {numbers.gap_estimand}"),
        "gap_null_mean": (omnibus.gap_null_mean, "mean of that gap when groups do not differ"),
        "gap_null_95th": (omnibus.gap_null_95th, "95th percentile of that gap when groups do not differ"),
    }
    gap: dict[str, Any] = {"unit": numbers.unit, "method": numbers.method, **base}
    reach = numbers.detectable
    return [
        Estimate(name="p_value", value=omnibus.p, method=numbers.method, **test),
        Estimate(
            name="p_adjusted",
            value=adjusted,
            method=f"{correction_text(family.correction)} over a family of {family.size}",
            **test,
        ),
        *(
            Estimate(
                name=name, value=value, estimand=text, reason=numbers.no_gap if value is None else _BY_DRAWS, **gap
            )
            for name, (value, text) in gaps.items()
        ),
        Estimate(
            name=numbers.detectable_name,
            value=reach.value,
            unit=numbers.detectable_unit,
            estimand=numbers.detectable_estimand,
            method=reach.method,
            reason=reach.reason or "a design figure has no interval",
            **base,
        ),
        _margin(numbers, base),
        *_pairs(numbers, adjusted),
    ]


def gap_curves(numbers: GapNumbers) -> list[Curve]:
    """The gap's distribution when labels are exchanged, as curve ``gap_null``; none if it has no finite one."""
    if numbers.omnibus.null_gaps is None:
        return []
    centers, shares = numbers.omnibus.null_gaps
    return [
        Curve(
            name="gap_null",
            x_name=f"largest minus smallest group {numbers.gap_estimand}",
            y_name="share of draws",
            x=centers,
            y=shares,
            n=numbers.n,
            n_unit=numbers.n_unit,
            x_unit=numbers.unit,
            method=numbers.method,
            reason="a share of random draws has no interval that matters: more draws make it as sure as wanted",
        )
    ]


def _margin(numbers: GapNumbers, base: dict[str, Any]) -> Estimate:
    """The smallest margin within which all groups would be shown to lie [1]; a policy may set a limit on it."""
    ends = [_reach(pair) for pair in numbers.pairs]
    known = [end for end in ends if end is not None]
    whole = bool(ends) and len(known) == len(ends)
    level = parity_level(numbers.level)
    effects = {(pair.unit, pair.neutral) for pair in numbers.pairs}
    unit, neutral = effects.pop() if len(effects) == 1 else (numbers.unit, 0.0)
    around = "" if neutral == 0 else f" from {neutral:g}"
    return Estimate(
        name="smallest_parity_margin",
        value=max(known) if whole else None,
        unit=unit,
        estimand=f"smallest margin{around} that two one-sided tests of every pair of judged groups would pass",
        method=f"largest end of the {level:.0%} intervals of all pairs" if whole else None,
        reason="a margin has no interval" if whole else "a pair of groups has no interval: no margin can be shown",
        **base,
    )


def _reach(pair: PairNumbers) -> float | None:
    if pair.parity is None or pair.parity.low is None or pair.parity.high is None:
        return None
    return max(abs(pair.parity.low - pair.neutral), abs(pair.parity.high - pair.neutral))


def _adjusted(numbers: GapNumbers) -> dict[int, float]:
    """Adjusted p-value of each pair that has one, by its position."""
    pairs = list(enumerate(numbers.pairs))
    if numbers.correction == "max_t":
        return {index: pair.joint for index, pair in pairs if pair.joint is not None and pair.p is not None}
    known = {index: pair.p for index, pair in pairs if pair.p is not None}
    return dict(zip(known, adjust(list(known.values()), numbers.correction), strict=True))


def _pairs(numbers: GapNumbers, adjusted: float) -> list[Estimate]:
    corrected = _adjusted(numbers)
    by = f"{correction_text(numbers.correction)} over {len(corrected)} pairs, never below the adjusted omnibus p-value"
    estimates = []
    for index in _listed(numbers, corrected):
        pair = numbers.pairs[index]
        group = {numbers.attribute: f"{label_text(pair.first)} - {label_text(pair.second)}"}
        base: dict[str, Any] = {"group": group, "n": pair.n, "n_unit": numbers.n_unit}
        estimates.append(
            Estimate(
                name=pair.name,
                unit=pair.unit,
                estimand=pair.estimand,
                **pair.result.stated(numbers.level),
                **base,
            )
        )
        if len(numbers.pairs) > 1 and index in corrected:
            estimates.append(
                Estimate(
                    name="pairwise_p_adjusted",
                    value=max(corrected[index], adjusted),
                    unit="1",
                    estimand="no difference between the two groups",
                    method=by,
                    reason=_P,
                    **base,
                )
            )
    return [*estimates, *_left_out(numbers)]


def _listed(numbers: GapNumbers, corrected: Mapping[int, float]) -> list[int]:
    """Positions of the pairs that a finding lists: all of few; of many those with the smallest p-values and effects."""

    def weight(index: int) -> tuple[float, float, int]:
        pair = numbers.pairs[index]
        value = pair.result.value
        return corrected.get(index, 2.0), -abs(value - pair.neutral) if value is not None else 0.0, index

    return sorted(sorted(range(len(numbers.pairs)), key=weight)[:MOST_PAIRS])


def _left_out(numbers: GapNumbers) -> list[Estimate]:
    """How many pairs of many are listed; all were computed and corrected together."""
    total = len(numbers.pairs)
    if total <= MOST_PAIRS:
        return []
    return [
        Estimate(
            name="pairs_listed",
            value=MOST_PAIRS,
            unit="pairs",
            n=total,
            n_unit="pairs",
            estimand="pairs of groups that are listed, those with the smallest p-values first; all were computed, and "
            "corrected together",
            reason="a count",
        )
    ]


def ends_text(pairs: Sequence[PairNumbers]) -> str:
    """Which groups are furthest apart, as `` (lowest F, highest M)``; empty if none or several pairs are."""
    apart = [(abs(pair.result.value), pair) for pair in pairs if pair.result.value is not None and pair.neutral == 0]
    widest = max((size for size, _ in apart), default=0.0)
    found = [pair for size, pair in apart if size >= widest * (1 - 1e-9)]
    if widest <= 0 or len(found) != 1:
        return ""
    ends = [found[0].first, found[0].second]
    low, high = ends if (found[0].result.value or 0.0) < 0 else reversed(ends)
    return f" (lowest {spoken_label(low)}, highest {spoken_label(high)})"
