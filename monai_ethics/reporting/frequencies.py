# SPDX-License-Identifier: Apache-2.0
"""Results as counts of 100 people, in sentences: only from results that hold an interval or a test.

A number without an interval, a group whose number is withheld and a difference without a test make no sentence. What is
more than chance is said only of a test, with its level.

References:
    Gigerenzer et al. 2007, Psychol. Sci. Public Interest 8: natural frequencies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monai_ethics.evidence import UNJUDGED, Estimate, Finding
from monai_ethics.reporting.quantity import MISSING, group_label, number, percent
from monai_ethics.reporting.shapes import Gap, attribute_label, gap_of, is_of_people
from monai_ethics.reporting.telling import BETTER, by_weight

__all__ = ["TEMPLATES", "Template", "sentences"]

RATES = ("tpr", "fpr")  # rates whose differences stand together in one finding
ALL = 3  # groups of an attribute that are all named; of more, both ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """How a share is told as a count.

    Args:
        among: whom the share is taken of, after "cases"; empty if all.
        happened: what is counted, after a number.
        rest: whether the complement of the share is counted: 88 of 100 found are told as 12 missed.
    """

    among: str
    happened: str
    rest: bool = False


TEMPLATES: Mapping[str, Template] = {
    "tpr": Template(among="with the finding", happened="missed", rest=True),
    "fnr": Template(among="with the finding", happened="missed"),
    "fpr": Template(among="without the finding", happened="called positive"),
    "tnr": Template(among="without the finding", happened="called positive", rest=True),
    "ppv": Template(among="called positive", happened="without the finding", rest=True),
    "npv": Template(among="called negative", happened="with the finding all the same", rest=True),
    "selection_rate": Template(among="", happened="called positive"),
    "failure_rate": Template(among="with something to find", happened="missed"),
    "false_positive_rate": Template(among="with nothing to find", happened="marked all the same"),
    "accuracy": Template(among="", happened="called wrongly", rest=True),
    "correctness": Template(among="", happened="without what was requested", rest=True),
    "auc": Template(among="pairs of a case with and a case without the finding", happened="put in the right order"),
}
SIGNED = "calibration_in_the_large"


def sentences(finding: Finding) -> tuple[str, ...]:
    """Every sentence the finding allows, the most telling first; none if it could not be judged."""
    if finding.verdict in UNJUDGED:
        return ()
    gap = gap_of(finding)
    if gap is not None:
        return tuple(_of_gap(finding, gap))
    names = by_weight(dict.fromkeys(row.name for row in finding.estimates))
    told = [name for name in names if name in TEMPLATES or name == SIGNED]
    seen: set[tuple[str, str]] = set()
    out: list[str] = []
    for name in told:
        key = (TEMPLATES[name].among, TEMPLATES[name].happened) if name in TEMPLATES else (name, "")
        if key not in seen:  # missed is told once, from tpr or from fnr
            out += _of_groups([row for row in finding.estimates if row.name == name and is_of_people(row.group)], name)
        seen.add(key)
    return tuple(out)


def _of_groups(rows: Sequence[Estimate], name: str) -> Iterator[str]:
    by_attribute: dict[tuple[str, ...], list[Estimate]] = {}
    for row in rows:
        if row.value is not None and row.low is not None:
            by_attribute.setdefault(tuple(row.group), []).append(row)
    alone = len(by_attribute) == 1
    for keys, group in sorted(by_attribute.items(), key=lambda item: len(item[0]) > 1 or "*" in "".join(item[0])):
        if keys or alone:
            held = sum(row.value is None for row in rows if tuple(row.group) == keys)
            yield _sentence(_ends(group, name), name, total=len(group), held=held)


def _ends(rows: Sequence[Estimate], name: str) -> list[Estimate]:
    """All of few groups; both ends of many, the one that is worse by its name first."""
    if len(rows) <= ALL:
        return list(rows)
    order = sorted(rows, key=lambda row: (row.value or 0.0, group_label(row.group)))
    return [order[0], order[-1]] if BETTER.get(name, False) else [order[-1], order[0]]


def _sentence(rows: Sequence[Estimate], name: str, *, total: int, held: int) -> str:
    many = f" These are both ends of {total} groups that could be judged." if total > len(rows) else ""
    open_ = f" {held} {'group' if held == 1 else 'groups'} could not be judged." if held else ""
    level = percent(rows[0].level)
    if name == SIGNED:
        told = "; ".join(f"{_who(row)}: {_signed(row)}" for row in rows)
        return f"Of 100 cases, the model expects the finding in more or fewer than have it: {told}.{many}{open_}"
    template, base = TEMPLATES[name], _base(rows, name)
    count = f"Of {base:,}"
    if name == "auc":
        whom = f"{count} {template.among}"
    else:
        whom = f"{count} {_unit(rows[0])}{' ' + template.among if template.among else ''}"
    parts: list[str] = []
    for row in rows:
        value, low, high = _counts(row, template, base)
        if parts:
            parts.append(f"{_who(row)} about {value} ({low} to {high})")
        else:
            was = "was" if value == "1" else "were"
            parts.append(f"{_who(row)} about {value} {was} {template.happened} ({low} to {high}, {level} interval)")
    return f"{whom}: {'; '.join(parts)}.{many}{open_}"


def _unit(row: Estimate) -> str:
    return row.n_unit if row.n_unit in ("patients", "images") else "cases"


def _who(row: Estimate) -> str:
    """The group in words: ``in sex F``."""
    if not row.group:
        return "in everyone together"
    return "in " + " and ".join(f"{key} {MISSING if label is None else label}" for key, label in row.group.items())


def _share(value: float, template: Template) -> float:
    return 1 - value if template.rest else value


def _base(rows: Sequence[Estimate], name: str) -> int:
    """100, or 1,000 where 100 would round what was seen to nothing."""
    shares = [_share(row.value or 0.0, TEMPLATES[name]) for row in rows]
    return 1000 if any(0 < share < 0.01 for share in shares) else 100


def _counts(row: Estimate, template: Template, base: int) -> tuple[str, str, str]:
    ends = (row.value or 0.0, row.low or 0.0, row.high or 0.0)
    value, low, high = (base * _share(end, template) for end in ends)
    low, high = min(low, high), max(low, high)
    return _whole(value), _whole(low), _whole(high)


def _whole(count: float) -> str:
    return f"{round(count):,}"  # a whole number has no negative zero


def _signed(row: Estimate) -> str:
    value, low, high = (100 * (end or 0.0) for end in (row.value, row.low, row.high))
    return f"about {_more(value)} ({_more(low)} to {_more(high)}, {percent(row.level)} interval)"


def _more(count: float) -> str:
    size = f"{abs(count):.0f}"
    return "as many" if size == "0" else f"{size} {'more' if count > 0 else 'fewer'}"


def _of_gap(finding: Finding, gap: Gap) -> Iterator[str]:
    """The test first, then the pairs with an interval, then what would have gone unseen."""
    test = gap.p_value
    if test is None or test.value is None or gap.level is None:
        return
    name = next((name for name in TEMPLATES if _is_about(finding, name)), None)
    by = attribute_label(finding)
    p = f"adjusted p = {number(test.value)}" if test.name == "p_adjusted" else f"p = {number(test.value)}"
    rule = f"tested at the level {1 - gap.level:.3g}, {p}"
    if gap.beyond_chance:
        yield f"The groups of {by} differ by more than chance alone would explain ({rule})."
    else:
        yield (f"Chance alone could explain how the groups of {by} differ ({rule}). It does not show them equal.")
    yield from _of_groups([row for row in finding.estimates if row.name == "correctness"], "correctness")
    for rate in RATES:
        yield from _pairs(gap, rate, named=f"{rate}_difference")
    if name is None or gap.observed.unit != "1":
        return
    yield from _pairs(gap, name)
    reach = gap.detectable
    if reach is not None and reach.value is not None and "effect" not in reach.name:
        yield (
            f"With these patients, differences below about {100 * reach.value:.0f} of 100 would often have gone unseen."
        )


def _is_about(finding: Finding, name: str) -> bool:
    ends = (name, "missed") if name == "failure_rate" else (name,)
    return any(subject == end or subject.endswith(f"_{end}") for subject in finding.subjects for end in ends)


def _pairs(gap: Gap, name: str, *, named: str = "difference") -> Iterator[str]:
    told = [row for row in gap.pairs if row.name == named and row.value is not None and row.low is not None]
    told.sort(key=lambda row: -abs(row.value or 0.0))
    template = TEMPLATES[name]
    sign = -1 if template.rest else 1
    whom = template.among if name == "auc" else f"cases {template.among}".strip()
    for row in told[:ALL]:
        low, high = sorted(100 * sign * (end or 0.0) for end in (row.low, row.high))
        yield (
            f"Of 100 {whom} about {_more(100 * sign * (row.value or 0.0))} are {template.happened} {_sides(row)} "
            f"({_more(low)} to {_more(high)}, {percent(row.level)} interval)."
        )
    if len(told) > ALL:
        yield f"These are the {ALL} largest of {len(told)} differences between pairs of groups."


def _sides(row: Estimate) -> str:
    """Both groups of a pair, where its label shows where one ends."""
    pair = " and ".join(str(label) for label in row.group.values() if label is not None)
    names = pair.split(" - ")
    return f"in {names[0]} than in {names[1]}" if len(names) == 2 else f"in the first than in the second of {pair}"
