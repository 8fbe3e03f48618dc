# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.threshold_sweep`: what would decisions look like in each group at other thresholds?

Described, never used to choose: the best threshold on these scores looks better than it is. `choose_threshold` is for
other data, and `decide_elsewhere` refuses data that share a patient.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.evidence import Curve, Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.groups import CASE_MIX, label_text, labels_of
from monai_ethics.fairness.data.rates import MIN_DENOMINATOR
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.wording import is_exploratory
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import Floats
from monai_ethics.statistics.sweep import RATES_SWEPT, SweptRate, common_grid, sweep

__all__ = ["ThresholdSweep", "choose_threshold", "decide_elsewhere"]

SOURCES = (
    Source(title="Youden 1950 (Cancer 3)", locator="sensitivity plus specificity minus one"),
    Source(title="Wilson 1927; Rao & Scott 1992 (Biometrics 48)", locator="bands"),
    Source(
        title="Leeflang et al. 2008 (Clin. Chem. 54)", locator="optimism of thresholds chosen on the evaluated data"
    ),
)
LIMITATIONS = (
    "Nothing here chooses a threshold: the one that does best on these cases is flattered by them.",
    "The band holds at one threshold at a time, not along the whole curve.",
    "One threshold for each group would use the attribute at inference: that is a decision, not a measurement.",
)
Aim = Literal["youden", "sensitivity", "specificity"]


@dataclass(frozen=True, kw_only=True)
class ThresholdSweep:
    """Selection rate, TPR, FPR and PPV of each group over thresholds that are common to all groups.

    Rates are case-weighted, with Wilson's interval at each threshold, at the Rao-Scott effective number of cases where
    patients have several. The threshold that decides, if any, is one of those described and is marked in
    ``parameters``, with who chose it.

    Args:
        attribute: grouping to describe; empty = every attribute of the table that is no intersection and no case mix.
        n_thresholds: thresholds, evenly spaced over the range of nearly all scores; at most 60.
        min_group_size: smallest group (patients, 5 of them with a denominator) whose curves are given; smaller ones are
            listed.
        level: nominal coverage of the intervals.

    Notes:
        Not a comparison, and no way to choose a threshold.

    References:
        arXiv 2507.04249, Table 1 (evaluation: performance across patient groups); methods as in `sources`.
    """

    id: ClassVar[str] = "fairness.threshold_sweep"
    title: ClassVar[str] = "What would decisions look like in each group at other thresholds?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-03", "LIF-E1")

    attribute: str = ""
    n_thresholds: int = 41
    min_group_size: int = 10
    level: float = 0.95

    def __call__(self, data: BinaryScores, /) -> Finding:
        """Describe the rates of everyone and of each group.

        Args:
            data: labels and scores with their groups.

        Returns:
            Verdict `measured` with curves ``<rate>_by_threshold``; `not_assessable` without scores, or with too few
            patients overall.

        Raises:
            InputError: if more than 60 thresholds are asked for, or fewer than 2.
        """
        if not 2 <= self.n_thresholds <= 60:
            raise InputError(f"Expected 2 to 60 thresholds: got {self.n_thresholds}. Ask for fewer or more.")
        reason = self._reason(data)
        names = [self.attribute] if self.attribute else [name for name in data.groups if _describes(name)]
        curves: list[Curve] = []
        estimates: list[Estimate] = []
        sizes: dict[str, dict[str, int]] = {}
        grid = np.zeros(0)
        if reason is None:
            grid = common_grid(np.array(data.y_score), self.n_thresholds, data.threshold)
            for name in (None, *names):
                for label, rows in _rows(data, name).items():
                    group = {} if name is None else {name: label}
                    people = len({data.patients[i] for i in rows})
                    if name is not None:
                        sizes.setdefault(name, {})[label_text(label)] = people
                    part = data.reordered(rows)
                    if people < max(self.min_group_size, 2):
                        estimates += self._withheld(group, people)
                    else:
                        curves += self._curves(part, group, people, grid)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=_statement(data, grid, reason, self.attribute),
            subjects=(data.target,),
            estimates=estimates,
            curves=curves,
            accounting={"positive": sum(data.y_true), "negative": len(data) - sum(data.y_true)},
            parameters={
                **asdict(self),
                "attributes": names,
                "groups": sizes,
                "threshold": data.threshold,
                "decided_by": data.decided_by,
            },
            reason=reason,
            limitations=LIMITATIONS if data.patients_named else (*LIMITATIONS, UNNAMED_PATIENTS),
            sources=SOURCES,
        )

    def _reason(self, data: BinaryScores) -> str | None:
        people, least = len(set(data.patients)), max(self.min_group_size, 2)
        if people < least:
            return f"{people} patients are fewer than the {least} a statement needs"
        return None if data.y_score else "there are no scores, only decisions"

    def _withheld(self, group: Mapping[str, str | None], people: int) -> list[Estimate]:
        why = f"{people} patients: listed, not judged (at least {self.min_group_size})"
        return [
            Estimate(
                name=f"{name}_by_threshold",
                value=None,
                unit="1",
                n=people,
                n_unit="patients",
                estimand=f"case-weighted {words} at each threshold",
                group=group,
                reason=why,
            )
            for name, words in RATES_SWEPT.items()
        ]

    def _curves(self, data: BinaryScores, group: Mapping[str, str | None], people: int, grid: Floats) -> list[Curve]:
        truth, scores = np.array(data.y_true, dtype=bool), np.array(data.y_score, dtype=np.float64)
        found = sweep(truth, scores, data.patients, grid, level=self.level, least=MIN_DENOMINATOR)
        return [self._curve(name, rate, group, people, grid) for name, rate in found.items()]

    def _curve(self, name: str, rate: SweptRate, group: Mapping[str, str | None], people: int, grid: Floats) -> Curve:
        defined = any(low is not None for low in rate.low)
        return Curve(
            name=f"{name}_by_threshold",
            x_name="threshold: a case is decided positive from this score on",
            y_name=f"case-weighted {RATES_SWEPT[name]}",
            x=grid.tolist(),
            y=rate.values,
            n=people,
            n_unit="patients",
            method=f"{rate.method}; undefined below {MIN_DENOMINATOR} patients in the denominator",
            low=rate.low if defined else (),
            high=rate.high if defined else (),
            level=self.level if defined else None,
            group=group,
            reason=None if defined else f"no threshold has {MIN_DENOMINATOR} patients in the denominator",
        )

    @staticmethod
    def example(n: int, seed: int) -> BinaryScores:
        """Scores of `n` patients with sex, and a threshold fixed beforehand."""
        return GroupRates.example(n, seed)


def _rows(data: BinaryScores, attribute: str | None) -> dict[str | None, list[int]]:
    """Rows of each group, sorted by label, not recorded last; everyone as one group if there is no attribute."""
    labels = (None,) * len(data) if attribute is None else labels_of(data, attribute)
    rows: defaultdict[str | None, list[int]] = defaultdict(list)
    for position, label in enumerate(labels):
        rows[label].append(position)
    return {label: rows[label] for label in sorted(rows, key=lambda label: (label is None, label or ""))}


def _describes(name: str) -> bool:
    return not is_exploratory(name) and name not in CASE_MIX


def _statement(data: BinaryScores, grid: Floats, reason: str | None, attribute: str = "") -> str:
    if reason:
        return f"{data.target}: decisions at other thresholds cannot be described, because {reason}."
    fixed, by = "No threshold decides here", f" by {attribute}" if attribute else ""
    if data.threshold is not None:
        fixed = f"Decisions are made at {data.threshold:g} ({data.decided_by})"
    elif data.y_pred:
        fixed = f"Decisions are not made by a threshold on these scores ({data.decided_by})"
    return (
        f"{data.target}: selection rate, TPR, FPR and PPV{by} of {len(set(data.patients))} patients at {len(grid)} "
        f"thresholds from {grid[0]:g} to {grid[-1]:g}. {fixed}; a threshold is to be chosen on other patients than "
        "these."
    )


def choose_threshold(other: BinaryScores, *, aim: Aim = "youden", at: float | None = None) -> float:
    """Choose a threshold on OTHER data than those that will be evaluated with it.

    Chosen on the evaluated data it makes them look better than new patients will be: with 20 positive and 20 negative
    cases and a useless score Youden's index is .17 on average in place of 0. Cases count alike, whoever's they
    are, and groups are not looked at: one threshold for all.

    Args:
        other: labels and scores of other patients.
        aim: ``"youden"`` = largest sensitivity plus specificity; ``"sensitivity"`` = the highest threshold that keeps
            a sensitivity of `at`; ``"specificity"`` = the lowest threshold that keeps a specificity of `at`.
        at: the sensitivity or specificity to keep, 0 to 1; not used for ``"youden"``.

    Returns:
        The threshold: decided positive from it on. Between equally good ones the lowest.

    Raises:
        InputError: if a class is absent, there are no scores, or `at` is missing or outside 0 to 1.
    """
    truth, scores = np.array(other.y_true, dtype=bool), np.array(other.y_score, dtype=np.float64)
    if len(scores) != len(truth) or truth.all() or not truth.any():
        raise InputError("Expected scores of positive and of negative cases: one of them is absent. Add such cases.")
    if aim not in ("youden", "sensitivity", "specificity"):
        raise InputError("Expected the aim youden, sensitivity or specificity: got another. Name one of them.")
    if aim != "youden" and (at is None or not 0 <= at <= 1):
        raise InputError(f"Expected a {aim} from 0 to 1 to be kept: got none or another number. Give `at`.")
    distinct = np.unique(scores)
    candidates = np.append(distinct, math.nextafter(distinct[-1], math.inf))  # the last decides nobody positive
    positive, negative = np.sort(scores[truth]), np.sort(scores[~truth])
    found = 1 - np.searchsorted(positive, candidates, side="left") / len(positive)
    spared = np.searchsorted(negative, candidates, side="left") / len(negative)
    if aim == "youden":
        return float(candidates[int(np.argmax(found + spared))])
    wanted = float(at or 0.0)
    if aim == "sensitivity":
        return float(candidates[np.flatnonzero(found >= wanted)[-1]])
    return float(candidates[np.flatnonzero(spared >= wanted)[0]])


def decide_elsewhere(
    data: BinaryScores, other: BinaryScores, *, where: str, aim: Aim = "youden", at: float | None = None
) -> BinaryScores:
    """Decide the evaluated cases by a threshold chosen on other patients.

    Args:
        data: the cases to be evaluated.
        other: labels and scores of other patients.
        where: what the other data are, printed, such as ``"the validation set"``.
        aim: as in `choose_threshold`.
        at: as in `choose_threshold`.

    Returns:
        `data` with decisions that say how their threshold was chosen.

    Raises:
        InputError: if a patient or a case is in both, or `choose_threshold` refuses `other`.
    """
    shared = len({*data.patients} & {*other.patients}) or len({*data.cases} & {*other.cases})
    if shared:
        raise InputError(
            f"A threshold must be chosen on other patients than are evaluated: {shared} are in both. "
            "Leave them out of one."
        )
    threshold = choose_threshold(other, aim=aim, at=at)
    goal = "Youden's index" if aim == "youden" else f"{aim} of {at:g}"
    by = f"threshold {threshold:g}, chosen on {where} ({len(set(other.patients))} other patients) for {goal}"
    return data.decided(threshold, decided_by=by)
