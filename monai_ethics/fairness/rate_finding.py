# SPDX-License-Identifier: Apache-2.0
"""What the checks that compare rates put into their findings alike."""

from __future__ import annotations

from typing import Any

from monai_ethics.evidence import Estimate
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import label_text
from monai_ethics.fairness.data.rates import NO_DECISIONS, RATE_WORDS
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.fairness.gap import PairNumbers, parity_level
from monai_ethics.fairness.methods.rate_comparison import RateComparison, rate_pairs
from monai_ethics.fairness.rate_wording import impossibility
from monai_ethics.fairness.wording import is_exploratory

__all__ = [
    "comparison_settings",
    "method_text",
    "pair_numbers",
    "rate_accounting",
    "rate_limitations",
    "ratio_estimate",
    "why_not",
]

LIMITATIONS = (
    "Not shown is not no gap: see the minimum detectable gap.",
    "A gap says nothing about its cause: groups also differ in severity, scanner and how they were labelled.",
    "Rates hold at one threshold, and against labels that may themselves differ in quality between groups.",
    "The largest minus the smallest of several groups is above zero by chance alone: read it beside its null mean.",
    "Intervals of pairs hold one at a time, not all at once.",
)
EXPLORATORY = (
    "Exploratory: intersections are corrected for their own number only, apart from the attributes. "
    "Confirm what they show on other data."
)


def why_not(data: BinaryScores, found: RateComparison | None, min_group_size: int) -> str | None:
    """Why nothing can be compared; ``None`` if it was."""
    if not data.y_pred and len(data):
        return NO_DECISIONS
    if found is None:
        why = "there is no decision" if not len(data) else ""
        return why or f"the table has {len(data.groups)} attributes and none was named"
    if found.omnibus is None:
        among = " and ".join(dict.fromkeys(RATE_WORDS[rate][1] for rate in found.rates))
        return (
            f"{len(found.judged[0])} of {len(found.cells)} groups have {min_group_size} patients and enough {among}, "
            "and a comparison needs two such groups"
        )
    return None


def method_text(found: RateComparison, seed: int) -> str:
    """How the test was made."""
    kind = "random signs of whole patients" if found.crossed else "permutation of whole patients with a denominator"
    return f"studentised {kind}, {found.draws} draws, seed {seed}"


def pair_numbers(found: RateComparison, row: int, *, level: float, name: str = "difference") -> list[PairNumbers]:
    """Every pair of judged groups, with its signed difference."""
    what = RATE_WORDS[found.rates[row]][0]
    near = rate_pairs(found, row, level=parity_level(level))
    rows = []
    for (first, second, (result, p)), (_, _, (close, _)) in zip(rate_pairs(found, row, level=level), near, strict=True):
        names = label_text(first.label), label_text(second.label)
        rows.append(
            PairNumbers(
                first=first.label,
                second=second.label,
                n=len({*first.patients, *second.patients}),
                result=result,
                p=p,
                parity=close,
                name=name,
                estimand=f"{what}: {names[0]} minus {names[1]}, case-weighted",
            )
        )
    return rows


def ratio_estimate(found: RateComparison, row: int, name: str = "ratio") -> Estimate:
    """Smallest by largest group rate, as a description."""
    values = [group.value for group in found.judged[row]]
    top = max(values)
    return Estimate(
        name=name,
        value=min(values) / top if top > 0 else None,
        unit="1",
        n=found.n,
        n_unit="patients",
        estimand=f"smallest by largest group {RATE_WORDS[found.rates[row]][0]}",
        reason="a description without an interval: below 1 by chance alone" if top > 0 else "every group's rate is 0",
    )


def comparison_settings(data: BinaryScores, found: RateComparison | None) -> dict[str, Any]:
    """What was compared, for a finding's parameters."""
    settings = {"threshold": data.threshold, "decided_by": data.decided_by}
    if found is None:
        return settings
    return settings | {
        "groups": {label_text(cell.label): len(cell.patients) for cell in found.cells},
        "small_groups": [label_text(label) for label in found.hidden],
        "why_small": {label_text(label): why for label, why in found.hidden.items()},
        "draws": found.draws,
        "patients_in_several_groups": found.crossed,
    }


def rate_limitations(data: BinaryScores, attribute: str, found: RateComparison | None) -> tuple[str, ...]:
    """What the result does not show."""
    judged = {group.label for group in found.judged[0]} if found else set()
    differs = impossibility([cell for cell in found.cells if cell.label in judged] if found else [])
    exploratory = (EXPLORATORY,) if is_exploratory(attribute) else ()
    return (*exploratory, *LIMITATIONS, *differs, *(() if data.patients_named else (UNNAMED_PATIENTS,)))


def rate_accounting(data: BinaryScores, found: RateComparison | None) -> dict[str, int]:
    """Cases by what became of them; adds up to all cases."""
    counts = {"compared": 0, "without_the_denominator": 0, "in_groups_too_small": 0, "not_compared": 0}
    if found is None or found.omnibus is None:
        return {**counts, "not_compared": len(data)}
    used = [sum(group.bottoms.sum() for group in row) for row in found.judged]
    compared = int(sum(used))
    small = sum(int(cell.total.sum()) for cell in found.cells if cell.label in found.hidden)
    rest = len(data) - compared - small
    return {**counts, "compared": compared, "without_the_denominator": rest, "in_groups_too_small": small}
