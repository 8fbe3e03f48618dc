# SPDX-License-Identifier: Apache-2.0
"""Which picture fits a finding: recognized by the names and groups of its estimates, not by the check's id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monai_ethics.evidence import UNJUDGED, Estimate, Finding
from monai_ethics.reporting.names import in_words
from monai_ethics.reporting.quantity import TIMES
from monai_ethics.reporting.telling import BETTER, COUNTED, RATES, by_weight

__all__ = [
    "NO_PEOPLE",
    "Extremes",
    "Gap",
    "attribute_label",
    "extremes",
    "gap_of",
    "grouped",
    "is_of_people",
    "is_rate",
    "label",
    "primary",
    "rates",
    "scores",
    "subject_label",
]

LOCATION = ("median", "mean")
COUNTS = ("patients", "cases", "images", "items", "engines", "pairs")
NOT_A_SCORE = {"gap", "difference", "null", "p", "detectable", "n", "count", "before", "change", "ratio", "effect"}
NOT_A_SCORE |= {"floor", "excess", "margin", "sd", "chance"}  # they stand beside a score, or describe its spread
#: keys of groups that are no groups of people: they are listed and not ranked
NO_PEOPLE = frozenset(
    {"space", "copies", "copied_patients", "arm", "real_fraction", "design", "source", "attack", "kind", "set"}
)
NO_GAP = ("null", "detectable", "p_value", "expected", "before", "after", "change", "raw", "real_synthetic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The numbers of a gap between groups and of what chance alone gives."""

    observed: Estimate
    null_mean: Estimate | None
    null_high: Estimate | None
    p_value: Estimate | None
    detectable: Estimate | None
    pairs: tuple[Estimate, ...]

    level: float | None = None

    @property
    def beyond_chance(self) -> bool | None:
        """Whether the test of the finding tells the gap from chance, adjusted as it states.

        Without a stated level, whether the gap lies above the 95th percentile under shuffled labels.
        """
        if self.level is not None and self.p_value is not None and self.p_value.value is not None:
            return self.p_value.value <= 1 - self.level
        if self.null_high is None or self.null_high.value is None or self.observed.value is None:
            return None
        return self.observed.value > self.null_high.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Extremes:
    """Lowest and highest group of one attribute, as stated in the finding; `missed` have no value for their misses."""

    finding: Finding
    attribute: str
    name: str
    low: Estimate
    high: Estimate
    groups: int
    withheld: int
    missed: int = 0

    @property
    def subject(self) -> str:
        """What was scored."""
        return subject_label(self.finding)

    @property
    def ends(self) -> tuple[tuple[str, Estimate], tuple[str, Estimate]]:
        """Both ends, the worst first where the finding says which way is better and neither ties nor misses hide it."""
        better = direction(self.finding, self.name)
        if better is None or self.missed or self.low.value == self.high.value:
            return ("lowest", self.low), ("highest", self.high)
        worst, best = (self.low, self.high) if better else (self.high, self.low)
        return ("worst", worst), ("best", best)


def is_of_people(keys: Iterable[str]) -> bool:
    """Whether groups by these keys are groups of people, not kinds of copies, spaces of features or designs."""
    return NO_PEOPLE.isdisjoint(keys)


def is_rate(estimate: Estimate) -> bool:
    """Whether the estimate is a share of cases rather than a score."""
    if estimate.name in RATES:
        return True
    method = (estimate.method or "").lower()
    return estimate.unit == "1" and ("rate" in estimate.name or "share" in estimate.name or "wilson" in method)


def grouped(finding: Finding, name: str) -> tuple[Estimate, ...]:
    """Estimates of that name: everyone first, then by attribute in the order given, intersections last."""
    mine = [estimate for estimate in finding.estimates if estimate.name == name]
    order: dict[tuple[str, ...], tuple[bool, int]] = {}
    for estimate in mine:
        crossed = len(estimate.group) > 1 or "*" in "".join(estimate.group)
        order.setdefault(tuple(estimate.group), (crossed, len(order) if estimate.group else -1))
    return tuple(sorted(mine, key=lambda estimate: order[tuple(estimate.group)]))


def _names(finding: Finding, *, rate: bool) -> list[str]:
    names: dict[str, None] = {}
    for estimate in finding.estimates:
        other = (
            estimate.unit in COUNTS or estimate.name in COUNTED or not NOT_A_SCORE.isdisjoint(estimate.name.split("_"))
        )
        if estimate.group and is_rate(estimate) is rate and not other:
            names.setdefault(estimate.name)
    return by_weight(names)


def primary(finding: Finding) -> str | None:
    """Name of the estimate a forest plot shows: the median, else the mean, else the most telling that groups have."""
    names = scores(finding)
    return next((name for name in LOCATION if name in names), names[0] if names else None)


def scores(finding: Finding) -> list[str]:
    """Names of the scores that groups have, the most telling first."""
    return _names(finding, rate=False)


def rates(finding: Finding) -> list[str]:
    """Names of the shares that groups have, the most telling first."""
    return _names(finding, rate=True)


def _find(estimates: Iterable[Estimate], *words: str, without: tuple[str, ...] = ()) -> Estimate | None:
    for estimate in estimates:
        if all(word in estimate.name for word in words) and not any(word in estimate.name for word in without):
            return estimate
    return None


def gap_of(finding: Finding) -> Gap | None:
    """The gap a finding states, or ``None`` if it is of another kind."""
    rows = finding.estimates
    observed = _find(rows, "max_min_gap", without=NO_GAP) or _find(rows, "gap", without=NO_GAP)
    if observed is None or any(row.name.startswith("max_min_gap_") for row in rows):
        return None  # a gap before and after something is a change, not a comparison of groups
    return Gap(
        observed=observed,
        null_mean=_find(rows, "null", "mean") or _find(rows, "expected"),
        null_high=_find(rows, "null", "95") or _find(rows, "null", "percentile"),
        p_value=_test(rows),
        detectable=_find(rows, "detectable"),
        pairs=tuple(row for row in rows if row.name.endswith(("difference", "relative_effect")) and not _planned(row)),
        level=_number(finding.parameters.get("level")),
    )


def _test(rows: Iterable[Estimate]) -> Estimate | None:
    """The test of all groups together: adjusted over its family where it was."""
    exact = {row.name: row for row in rows if not row.group}
    named = exact.get("p_adjusted") or exact.get("p_value")
    return named or _find(rows, "p_adjusted", without=("pair",)) or _find(rows, "p_value", without=("pair",))


def _planned(row: Estimate) -> bool:
    """Whether it is what could have been seen, not what was."""
    return "detectable" in row.name


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


def attribute_label(finding: Finding) -> str:
    """Attribute or crossing a finding is about, as its parameters or its groups state it."""
    for key in ("attribute", "attributes", "strata"):
        value = finding.parameters.get(key)
        if value:
            return value if isinstance(value, str) else f" {TIMES} ".join(str(item) for item in value)
    keys = {tuple(estimate.group) for estimate in finding.estimates if estimate.group}
    return f" {TIMES} ".join(next(iter(keys))) if len(keys) == 1 else ""


def subject_label(finding: Finding) -> str:
    """What was examined, in words where any are known, without the attribute by which it was."""
    attribute = attribute_label(finding)
    spaces = "main_space" in finding.parameters  # in what images were compared is a matter of the table
    subjects = [in_words(str(item)) for item in finding.subjects if item != attribute and not spaces]
    if len(subjects) > 3:
        subjects = [*subjects[:2], f"{len(subjects) - 2} more"]
    return ", ".join(subjects)


def label(finding: Finding) -> str:
    """What tells a finding from others of the same check: its subjects and its attribute."""
    compared = gap_of(finding) is not None or finding.parameters.get("attribute")
    parts = (subject_label(finding), attribute_label(finding) if compared else "")
    return " · ".join(part for part in parts if part)


def extremes(finding: Finding) -> tuple[Extremes, ...]:
    """Lowest and highest group per attribute of the primary estimate, or of the two most telling rates without one."""
    if finding.verdict in UNJUDGED:
        return ()
    name = primary(finding)
    names = rates(finding)[:2] if name is None else [name]
    return tuple(pair for name in names for pair in _extremes(finding, name))


def _extremes(finding: Finding, name: str) -> tuple[Extremes, ...]:
    by_attribute: dict[tuple[str, ...], list[Estimate]] = {}
    for estimate in grouped(finding, name):
        if estimate.group and is_of_people(estimate.group):
            by_attribute.setdefault(tuple(estimate.group), []).append(estimate)
    out = []
    for keys, rows in by_attribute.items():
        valued = [(row.value, index) for index, row in enumerate(rows) if row.value is not None]
        if len(valued) > 1:
            out.append(
                Extremes(
                    finding=finding,
                    attribute=f" {TIMES} ".join(keys),
                    name=name,
                    low=rows[min(valued)[1]],
                    high=rows[max(valued)[1]],
                    groups=len(rows),
                    withheld=len(rows) - len(valued),
                    missed=sum(row.value is None and "missed" in (row.reason or "") for row in rows),
                )
            )
    return tuple(out)


def direction(finding: Finding, name: str = "") -> bool | None:
    """Whether higher is better: by the name, else if the finding says so."""
    if any("attack" in row.group for row in finding.estimates if row.name == name):
        return False  # what an attack tells of training patients
    if name in BETTER:
        return BETTER[name]
    value: Mapping[str, object] | object = finding.parameters.get("higher_is_better")
    return value if isinstance(value, bool) else None
