# SPDX-License-Identifier: Apache-2.0
"""How it may fail, and what that means for patients: a number for each kind of failure, or the words "not done".

References:
    W. Jin et al. 2025, arXiv 2508.09293, requirement MIS-14: weaknesses and failures with numbers and consequences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monai_ethics.evidence import UNJUDGED, Estimate, Verdict
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.quantity import counted, group_label, interval, percent, value_label
from monai_ethics.reporting.sections import Section, TableCell
from monai_ethics.reporting.shapes import direction, is_of_people, primary, rates
from monai_ethics.reporting.telling import brief
from monai_ethics.reporting.words import words_of

__all__ = ["MODES", "Mode", "failures"]

SIZE = "roi_size"  # in the key of a grouping by the size of what is to be found
MISSES = "failure_rate"
LOST = "no finite value"  # in the reason of a group in which half of the patients or more were missed
MOST = 4  # numbers shown for one kind of failure
PAIR = " - "
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One kind of failure.

    Args:
        name: what can go wrong.
        checks: beginnings of the ids of checks that measure it.
        numbers: names of estimates to whether a high value is good; empty: the worst group of the leading score.
        sized: whether groups by size are meant, all others if not; ``None`` where `numbers` are given.
        would: what would measure it.
        consequence: what it means for patients, one or two sentences.
        source: where that was found, if it was.
    """

    name: str
    checks: tuple[str, ...]
    would: str
    consequence: str
    numbers: tuple[tuple[str, bool], ...] = ()
    sized: bool | None = None
    source: str = ""


GROUPED = ("fairness.group_", "synthesis.group_correctness")
MODES: tuple[Mode, ...] = (
    Mode(
        name="A group of patients is served less well",
        checks=GROUPED,
        sized=False,
        would="`monai-ethics fairness EVIDENCE --attributes TABLE` (fairness.group_scores, fairness.group_rates)",
        consequence="In this group more is missed or drawn wrongly than the average tells. What is missed is treated "
        "late or not at all, and nobody notices as long as the average is reported.",
        source="Seyyed-Kalantari et al., Nature Medicine 27 (2021)",
    ),
    Mode(
        name="Small findings are missed",
        checks=GROUPED,
        sized=True,
        would="an evaluation of masks with at least 30 patients, which groups cases by size on its own (roi_size_band)",
        consequence="Small findings are often early ones. What is missed here is found later, when it has grown.",
        source="Raja Babu et al., arXiv 2502.02076: smaller regions stay harder",
    ),
    Mode(
        name="Images from elsewhere (out of distribution)",
        checks=("monitoring.", "robustness.out_of_distribution"),
        numbers=(),
        would="an evaluation of its own on images of another hospital; no check of this version says which images are "
        "from elsewhere",
        consequence="At another hospital, on another scanner or in other patients these numbers may not hold, and the "
        "model does not say so.",
        source="Zech et al., PLoS Medicine 15 (2018), e1002683",
    ),
    Mode(
        name="Noise, movement, another protocol (robustness)",
        checks=("robustness.",),
        numbers=(),
        would="an evaluation of the same cases with changed images; no check of this version does it",
        consequence="The answer may change while the image looks the same to a person, and a second scan of the same "
        "patient may be answered otherwise.",
    ),
    Mode(
        name="Synthetic images repeat training patients (memorization)",
        checks=("synthesis.memorization_",),
        numbers=(
            ("identical_images", False),
            ("closer_patients", False),
            ("p_value", True),
            ("p_value_model_access", True),
            ("outlying_images", False),
            ("correlation_above_threshold", False),
        ),
        would="`monai-ethics synthesis --train X --holdout X --synthetic X` (synthesis.memorization_membership)",
        consequence="Whoever passes on such an image passes on a patient, under the name of nobody. That patient was "
        "not asked and cannot take it back.",
        source="Carlini et al., Extracting training data from diffusion models, arXiv 2301.13188",
    ),
    Mode(
        name="Nobody knows where data came from (provenance)",
        checks=("provenance.data_origin", "provenance.synthetic_guard", "provenance.generation_record"),
        numbers=(("coverage", True), ("known_synthetic", False), ("near_copies", False)),
        would="a training that this package records (provenance.data_origin), `monai-ethics guard`",
        consequence="A fault in the data cannot be followed to the models that learned it, and so not to the patients "
        "whom these models were used on.",
    ),
    Mode(
        name="People did not agree, or no longer do (consent)",
        checks=("provenance.consent_coverage",),
        numbers=(("covered", True), ("opposed", False), ("refused", False)),
        would="`monai-ethics consent record`, then a guarded run (provenance.consent_coverage)",
        consequence="Images of people who did not agree go on working in the model. Taking an image away later does "
        "not take back what was learned from it.",
    ),
)


def failures(asked: Sequence[Asked]) -> Section:
    """The table of failure modes; a mode that nobody measured has its row and says so."""
    return Section(
        anchor="failures",
        title="How it may fail, and what that means for patients",
        short="How it may fail",
        intro=(
            "For each way to fail the worst number in this evidence, or the words “not done”. "
            "“Not done” does not mean that it cannot happen.",
        ),
        caption="Ways to fail",
        head=("What can go wrong", "Worst number there is", "For whom, on how many", "What it means for patients"),
        rows=tuple(row for mode in MODES for row in _rows(mode, asked)),
        notes=(
            "The sentences on patients are general: they say what such a failure does, not that it happened to "
            "anybody here. The worst of many groups looks bad by chance too; whether a difference is more than chance "
            "is answered by the comparisons.",
        ),
        most=24,
    )


def _rows(mode: Mode, asked: Sequence[Asked]) -> Iterator[tuple[TableCell, ...]]:
    means = f"{mode.consequence} ({mode.source})" if mode.source else mode.consequence
    concerned = [item for item in asked if item.finding.check.startswith(mode.checks)]
    answered = [item for item in concerned if item.finding.verdict not in UNJUDGED and item.gap is None]
    found = _each_once([pair for item in answered for pair in _worst(mode, item)])
    found.sort(key=lambda pair: (pair[0].finding.verdict != Verdict.FAILED, _rank(mode, pair[1])))
    left = len(found) - MOST
    for number, (item, row, said) in enumerate(found[:MOST]):
        said += f"; {counted(left, 'others')} of this kind below" if left > 0 and number == MOST - 1 else ""
        yield (
            TableCell(text=mode.name if number == 0 else f"{mode.name}, continued", anchor=""),
            TableCell(text=_number(row), anchor=item.anchor),
            TableCell(text=f"{group_label(row.group)}; {counted(row.n, row.n_unit)} ({item.named}{said})"),
            TableCell(text=means if number == 0 else "As above."),
        )
    if not found:
        yield TableCell(text=mode.name), _undone(mode, concerned), TableCell(text="—"), TableCell(text=means)


def _rank(mode: Mode, row: Estimate) -> int:
    """Where it stands among the numbers of one kind: none of a bad thing is never the worst there is."""
    if row.value is None:
        return 0 if _lost(row) else 2
    return int(row.value == 0 and dict(mode.numbers).get(row.name) is False)


def _each_once(found: Sequence[tuple[Asked, Estimate, str]]) -> list[tuple[Asked, Estimate, str]]:
    """Of several runs that give the same number of the same thing the worst one."""
    same: dict[tuple[object, ...], list[tuple[Asked, Estimate, str]]] = {}
    for pair in found:
        finding, row, _ = pair[0].finding, *pair[1:]
        same.setdefault((finding.check, finding.subjects, row.name), []).append(pair)
    return [_worst_run(pairs) for pairs in same.values()]


def _worst_run(pairs: Sequence[tuple[Asked, Estimate, str]]) -> tuple[Asked, Estimate, str]:
    name = pairs[0][1].name
    good = {name: up for mode in MODES for name, up in mode.numbers}.get(name, direction(pairs[0][0].finding, name))
    lost = [pair for pair in pairs if pair[1].value is None and _lost(pair[1])]
    valued = [pair for pair in pairs if pair[1].value is not None]
    if lost or not valued or good is None:
        return (lost or pairs)[0]
    return min(valued, key=lambda pair: (pair[1].value or 0.0) * (1 if good else -1))


def _lost(row: Estimate) -> bool:
    """Whether it has no number because too many were missed, which is worse than any number."""
    return row.value is None and row.n > 0 and LOST in (row.reason or "")


def _undone(mode: Mode, concerned: Sequence[Asked]) -> TableCell:
    """Not done; or done, and without an answer."""
    left = next((item for item in concerned if item.finding.verdict in UNJUDGED), None)
    if left is None or mode.sized:
        return TableCell(text=f"not done; what would do it: {mode.would}")
    return TableCell(text=left.finding.reason or "", anchor=left.anchor, said=words_of(left.finding))


def _number(row: Estimate) -> str:
    if row.value is None:
        return f"no number: {row.reason}"
    ends = f", {interval(row)} ({percent(row.level)} interval)" if row.low is not None else ", no interval"
    return f"{brief(row.name)}: {value_label(row)}{ends}"


def _worst(mode: Mode, item: Asked) -> Iterator[tuple[Asked, Estimate, str]]:
    """The worst number of a finding, with how many groups have none."""
    if mode.sized is not None:
        yield from _of_groups(mode, item)
        return
    rows = item.finding.estimates
    for name, good in mode.numbers:
        valued = [row for row in rows if row.name == name and row.value is not None]
        if valued:
            yield item, _extreme(valued, low=good), ""
    if not mode.numbers and any(row.value is not None for row in rows):
        yield item, next(row for row in rows if row.value is not None), ""


def _of_groups(mode: Mode, item: Asked) -> Iterator[tuple[Asked, Estimate, str]]:
    """The worst group by the leading score of a finding, and by its misses; of groups by size the smallest."""
    finding = item.finding
    name = primary(finding) or next(iter(rates(finding)), None)
    for each in dict.fromkeys((name, MISSES)):
        rows = [row for row in finding.estimates if row.name == each and row.group and is_of_people(row.group)]
        rows = [row for row in rows if (SIZE in "".join(row.group)) is mode.sized and not _is_pair(row)]
        if each is not None and any(row.value is not None or _lost(row) for row in rows):
            yield _smallest(item, rows) if mode.sized else _of_all(item, each, rows)


def _smallest(item: Asked, rows: Sequence[Estimate]) -> tuple[Asked, Estimate, str]:
    bands = [row for row in rows if len(row.group) == 1 and _size(row) is not None]
    if not bands:
        return item, rows[0], "; in no order of size"
    return item, min(bands, key=lambda row: _size(row) or 0.0), "; the smallest of all sizes"


def _of_all(item: Asked, name: str, rows: Sequence[Estimate]) -> tuple[Asked, Estimate, str]:
    good = direction(item.finding, name)
    valued, lost = [row for row in rows if row.value is not None], [row for row in rows if _lost(row)]
    held = len(rows) - len(valued)
    said = f"; {counted(held, 'groups')} without a number" if held else ""
    if lost:
        return item, lost[0], f"{said}: so many were missed"
    said += "; lowest: it is not recorded which way is good" if good is None else ""
    return item, _extreme(valued, low=good is not False), said


def _is_pair(row: Estimate) -> bool:
    return any(PAIR in str(label) for label in row.group.values())


def _size(row: Estimate) -> float | None:
    """Lower edge of a band of sizes, as its label states it."""
    found = NUMBER.search(str(next(iter(row.group.values()))))
    return float(found[0]) if found else None


def _extreme(rows: Sequence[Estimate], *, low: bool) -> Estimate:
    """Lowest or highest; of equal ones the first by its group."""
    sign = 1 if low else -1
    return min(rows, key=lambda row: (sign * (row.value or 0.0), group_label(row.group)))
