# SPDX-License-Identifier: Apache-2.0
"""Rates and their comparison in words that a reader without statistics can use."""

from __future__ import annotations

from collections.abc import Sequence

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import spoken_label
from monai_ethics.fairness.data.rates import RATE_WORDS, RateCell
from monai_ethics.fairness.methods.rate_comparison import RateComparison
from monai_ethics.fairness.methods.ratios import RatioGroup
from monai_ethics.fairness.wording import at_extreme, is_exploratory
from monai_ethics.statistics.permutation import Omnibus

__all__ = [
    "impossibility",
    "not_said",
    "odds_statement",
    "percent",
    "points",
    "rate_statement",
    "spread_text",
    "tested_text",
    "unseen",
]

#: which end of a rate is the worse one for the patient; neither for rates that are no error
_WORSE_HIGH = {"fpr": True, "fnr": True, "tpr": False, "tnr": False, "ppv": False, "npv": False, "accuracy": False}


def percent(value: float) -> str:
    """A share as it is printed."""
    return f"{100 * value:.3g} %"


def points(value: float) -> str:
    """A difference of shares as it is printed."""
    return f"{100 * value:.2g} percentage points"


def names_of(groups: Sequence[RatioGroup], positions: Sequence[int]) -> str:
    """Labels of some groups."""
    return " and ".join(spoken_label(groups[i].label) for i in positions)


def spread_text(groups: Sequence[RatioGroup], omnibus: Omnibus | None) -> str:
    """Between which rates the groups lie, and how far apart they would lie by chance alone."""
    places = [group.value for group in groups]
    low, high = at_extreme(places, highest=False), at_extreme(places, highest=True)
    if low == high:
        return f"it is {percent(places[0])} in each group"
    text = f"from {percent(places[low[0]])} ({names_of(groups, low)})"
    text += f" to {percent(places[high[0]])} ({names_of(groups, high)})"
    if omnibus is None or omnibus.gap is None or omnibus.gap_null_mean is None:
        return text
    gap = f"a gap of {points(omnibus.gap)}, where {100 * omnibus.gap_null_mean:.2g} is expected"
    return f"{text}, {gap} without a difference"


def tested_text(attribute: str, found: RateComparison, p_adjusted: float) -> str:
    """How sure it is, in brackets."""
    text = f"adjusted p = {p_adjusted:.2g}, {found.n} patients in {len(found.judged[0])} groups"
    return f"exploratory; {text}" if is_exploratory(attribute) else text


def unseen(least: float | None, groups: int) -> str:
    """What a comparison that shows nothing could not have shown."""
    where = "between the two smallest groups" if groups > 2 else "between groups of this size"
    if least is None:
        return "Not shown is not no gap."
    return (
        f"Not shown is not no gap: a difference below about {points(least)} {where} would be overlooked more often "
        "than once in 5 times."
    )


def rate_statement(
    data: BinaryScores, attribute: str, found: RateComparison, *, p_adjusted: float, least: float | None, alpha: float
) -> str:
    """The statement of a comparison of one rate that could be made.

    Args:
        data: the decisions compared.
        attribute: the grouping.
        found: the comparison, with its test.
        p_adjusted: p-value adjusted over the family.
        least: minimum detectable gap; ``None`` if not computed.
        alpha: level of the test.

    Returns:
        Some sentences.
    """
    rate = found.rates[0]
    words, _, name = RATE_WORDS[rate]
    groups, omnibus = found.judged[0], found.omnibus
    tested, seen = tested_text(attribute, found, p_adjusted), spread_text(groups, omnibus)
    if p_adjusted > alpha:
        none = f"{data.target}: no difference of the {words} by {attribute} was shown ({name}; {tested}): {seen}."
        return f"{none} {unseen(least, len(groups))}"
    text = f"{data.target}: the {words} differs by {attribute} ({name}; {tested}): {seen}."
    if rate not in _WORSE_HIGH:
        return text
    worst = at_extreme([group.value for group in groups], highest=_WORSE_HIGH[rate])
    if len(groups) == 2:
        return f"{text} Worst: {names_of(groups, worst)}."
    # that some groups differ was tested, not that this one is the worst
    several = f"of {len(groups)} groups; which pairs differ stands below"
    return f"{text} Worst in these data: {names_of(groups, worst)} ({several})."


def not_said(data: BinaryScores, what: str, attribute: str, reason: str) -> str:
    """The statement of a comparison that could not be made."""
    return f"{data.target}: whether the {what} differs by {attribute or 'group'} cannot be said, because {reason}."


def impossibility(cells: Sequence[RateCell]) -> tuple[str, ...]:
    """What cannot hold together when the share of positive cases differs between groups (Chouldechova; Kleinberg)."""
    shares = [float(cell.total[2:].sum() / cell.total.sum()) for cell in cells]
    if len(shares) < 2 or max(shares) - min(shares) < 1e-9:
        return ()
    return (
        f"Positive cases are {percent(min(shares))} to {percent(max(shares))} of a group's cases. Where prevalence "
        "truly differs, equal error rates (TPR and FPR), predictive parity (PPV) and calibration cannot all hold, and "
        "demographic parity is no aim: name which was chosen, by whom and why.",
    )


def odds_statement(
    data: BinaryScores, attribute: str, found: RateComparison, *, p_adjusted: float, least: float | None, alpha: float
) -> str:
    """The statement of a joint comparison of TPR and FPR; arguments as for `rate_statement`."""
    tested = tested_text(attribute, found, p_adjusted)
    first, second = (spread_text(groups, None) for groups in found.judged)
    text = f"found positive cases {first}; false alarms {second}"
    omnibus = found.omnibus
    if omnibus is not None and omnibus.gap is not None and omnibus.gap_null_mean is not None:
        text += f"; larger gap {points(omnibus.gap)}, where {100 * omnibus.gap_null_mean:.2g} is expected without any"
    if p_adjusted <= alpha:
        return f"{data.target}: found positive cases or false alarms differ by {attribute} ({tested}): {text}."
    none = f"{data.target}: no difference of found positive cases and false alarms by {attribute} was shown ({tested})"
    return f"{none}: {text}. {unseen(least, len(found.judged[0]))}"
