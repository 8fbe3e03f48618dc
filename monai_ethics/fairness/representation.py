# SPDX-License-Identifier: Apache-2.0
"""Check `fairness.representation`: who is in the data, who is not, and how that fits the population it is meant for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.fairness.data.cells import FEWEST_SHOWN, CellCount, count_cell, patients_by_label, rows_by_label
from monai_ethics.fairness.data.groups import label_text
from monai_ethics.fairness.data.roster import Roster
from monai_ethics.fairness.data.scores import UNNAMED_PATIENTS
from monai_ethics.registry import question_of
from monai_ethics.statistics.corrections import holm
from monai_ethics.statistics.goodness import Fit, goodness_of_fit
from monai_ethics.statistics.intervals import wilson

__all__ = ["Representation"]

SOURCES = (
    Source(
        title="Ethics-by-Design for medical imaging AI",
        locator="Tables 1 and 2",
        url="https://arxiv.org/abs/2507.04249",
    ),
    Source(title="Pearson 1900; Cochran 1954 (Biometrics 10)", locator="goodness of fit"),
    Source(title="Rao & Scott 1992 (Biometrics 48)", locator="design effect of repeated patients"),
)
LIMITATIONS = (
    "Counts say who is in the data, not how well anybody is served.",
    "A group may be there in number and still not in its variety: severity, scanner, site.",
    f"Counts under {FEWEST_SHOWN} patients are withheld here. A withheld count may be worked out from the others: only "
    "a copy for the public is made against that.",
    "Labels are as recorded: a wrong or inferred label is counted as it stands.",
)
NO_TARGET = "No target population was declared: counts alone cannot say who is missing."
MOST_CELLS = 200
EVERY = "(every label)"
_SMALL = f"fewer than {FEWEST_SHOWN} patients"
_COUNT = "a count has no interval"


@dataclass(frozen=True, kw_only=True)
class Representation:
    """Patients, cases, positives and design effect of every group and of every two attributes crossed.

    Missing labels are a row of their own; empty cells are listed; labels of the declared target population without a
    patient are named. With a target population: goodness of fit by patients, and signed differences of shares.

    Args:
        min_group_size: groups with fewer patients are named as too small to be judged.
        n_draws: multinomial draws where expected counts are small.
        level: nominal coverage of intervals.
        seed: seed of the draws.

    Notes:
        Without a declared target population nothing is compared.

    References:
        arXiv 2507.04249, Table 1 (collection: representation; evaluation: all groups) and Table 2, question 1.
    """

    id: ClassVar[str] = "fairness.representation"
    title: ClassVar[str] = "Who is in the data, and who is not?"
    stage: ClassVar[Stage] = Stage.COLLECTION
    requirements: ClassVar[tuple[str, ...]] = ("LIF-Q01", "LIF-C3", "LIF-E1")

    min_group_size: int = 10
    n_draws: int = 9_999
    level: float = 0.95
    seed: int = 0

    def __call__(self, data: Roster, /) -> Finding:
        """Count who is there.

        Args:
            data: cases with patients and groups; `Roster.of_scores` and `Roster.of_labels` make one of a table.

        Returns:
            Verdict `measured`, with ``target_p_adjusted`` for policies where a target population was declared;
            `not_assessable` with fewer than 5 patients.
        """
        people = len(set(data.patients))
        reason = f"{people} patients are too few to be counted openly" if people < FEWEST_SHOWN else None
        counts = {} if reason else {name: self._labels(data, name) for name in data.groups}
        crossed, left_out = ({}, []) if reason else _crossings(data)
        fits = {} if reason else self._fits(data)
        estimates: list[Estimate] = []
        if reason is None:
            estimates = _cell(data, people, {}, count_cell(data, range(len(data))))
            for name, labels in counts.items():
                for label, cell in labels.items():
                    estimates += _cell(data, people, {name: label}, cell)
                estimates.append(self._missing(data, name, labels[None]))
            for (first, second), cells in crossed.items():
                for (a, b), cell in cells.items():
                    estimates += _cell(data, people, {first: a, second: b}, cell)
            estimates += self._against_target(data, fits)
        lists = self._lists(data, counts, crossed)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=self._statement(data, lists, estimates, reason),
            subjects=(data.outcome,) if data.outcome else (),
            estimates=estimates,
            accounting={"counted": 0 if reason else len(data), "not_counted": len(data) if reason else 0},
            parameters={
                **asdict(self),
                **lists,
                "attributes": {name: data.obtained.get(name, "not stated") for name in data.groups},
                "crossings_left_out": left_out,
                "targets": {name: target.source for name, target in data.target.items()},
                "not_compared": {name: fit for name, fit in fits.items() if isinstance(fit, str)},
            },
            reason=reason,
            limitations=self._limitations(data),
            sources=(*SOURCES, *(Source(title=target.source) for target in data.target.values())),
            seed=self.seed if data.target else None,
        )

    def _limitations(self, data: Roster) -> tuple[str, ...]:
        none = () if data.target else (NO_TARGET,)
        return (*none, *LIMITATIONS, *(() if data.patients_named else (UNNAMED_PATIENTS,)))

    def _labels(self, data: Roster, name: str) -> dict[str | None, CellCount]:
        """Every label of the data and of the target population, and the missing ones, counted."""
        rows = rows_by_label(data.groups[name])
        wanted = set(data.target[name].shares) if name in data.target else set()
        labels = sorted({label for label in rows if label is not None} | wanted)
        return {label: count_cell(data, rows.get(label, ())) for label in [*labels, None]}

    def _missing(self, data: Roster, name: str, cell: CellCount) -> Estimate:
        people = len(set(data.patients))
        base: dict[str, Any] = {"unit": "1", "n": people, "n_unit": "patients", "group": {name: None}}
        what = "share of patients with a case whose label is not recorded"
        if cell.hidden:
            return Estimate(name="missing_share", value=None, estimand=what, reason=_SMALL, **base)
        low, high = wilson(cell.patients, people, level=self.level)
        ends: dict[str, Any] = {"low": low, "high": high, "level": self.level, "method": "Wilson score interval"}
        return Estimate(name="missing_share", value=cell.patients / people, estimand=what, **ends, **base)

    def _fits(self, data: Roster) -> dict[str, Fit | str]:
        """The test of each attribute with a target population, or why there is none."""
        found: dict[str, Fit | str] = {}
        for name, target in data.target.items():
            if name not in data.groups:
                found[name] = "the data have no such attribute"
                continue
            by_label, several = patients_by_label(data, name)
            if several:
                found[name] = f"{several} patients have several labels, so that counts of labels are not independent"
                continue
            counts = np.array([by_label.get(label, 0) for label in target.scaled], dtype=np.float64)
            shares = np.array(list(target.scaled.values()))
            fit = goodness_of_fit(counts, shares, draws=self.n_draws, seed=self.seed)
            found[name] = fit or "no patient has a label of the target population, or it has one label only"
        return found

    def _against_target(self, data: Roster, fits: Mapping[str, Fit | str]) -> list[Estimate]:
        tested = {name: fit for name, fit in fits.items() if isinstance(fit, Fit)}
        adjusted = dict(zip(tested, holm([fit.p for fit in tested.values()]), strict=True))
        rows: list[Estimate] = []
        for name, fit in tested.items():
            by_label, _ = patients_by_label(data, name)
            target = data.target[name].scaled
            total = sum(by_label.get(label, 0) for label in target)
            base: dict[str, Any] = {"unit": "1", "n": total, "n_unit": "patients"}
            test = {**base, "group": {name: EVERY}, "reason": "a p-value has no interval"}
            what = "the patients are a sample of the declared target population"
            rows.append(Estimate(name="target_p_value", value=fit.p, estimand=what, method=fit.method, **test))
            by = f"Holm over {len(tested)} attributes"
            rows.append(Estimate(name="target_p_adjusted", value=adjusted[name], estimand=what, method=by, **test))
            rows += [self._difference(name, label, by_label.get(label, 0), total, target[label]) for label in target]
        return rows

    def _difference(self, name: str, label: str, count: int, total: int, share: float) -> Estimate:
        what = f"share of patients minus the declared share of {share:.3g}, among patients with a declared label"
        base: dict[str, Any] = {"unit": "1", "n": total, "n_unit": "patients", "group": {name: label}}
        if 0 < count < FEWEST_SHOWN:
            return Estimate(name="share_difference", value=None, estimand=what, reason=_SMALL, **base)
        low, high = wilson(count, total, level=self.level)
        ends: dict[str, Any] = {"low": low - share, "high": high - share, "level": self.level}
        method = "Wilson score interval of the share, one label at a time; the declared share is taken as exact"
        return Estimate(
            name="share_difference", value=count / total - share, estimand=what, method=method, **ends, **base
        )

    def _lists(
        self,
        data: Roster,
        counts: Mapping[str, Mapping[str | None, CellCount]],
        crossed: Mapping[tuple[str, str], Mapping[tuple[str | None, str | None], CellCount]],
    ) -> dict[str, Any]:
        """Who is not there, who is few, and which crossed cells are empty; by name, without a number."""
        few: dict[str, list[str]] = {}
        smallest: dict[str, str] = {}
        for name, labels in counts.items():
            there = {label: cell.patients for label, cell in labels.items() if cell.patients}
            few[name] = [label_text(label) for label, n in there.items() if n < self.min_group_size]
            if there:
                smallest[name] = label_text(min(there, key=lambda label: (there[label], label is None, label or "")))
        absent = {
            name: [label for label, share in target.shares.items() if share > 0 and not counts[name][label].patients]
            for name, target in data.target.items()
            if name in counts
        }
        undeclared = {
            name: [label for label in labels if label is not None and label not in data.target[name].shares]
            for name, labels in counts.items()
            if name in data.target
        }
        empty = [
            f"{first}={label_text(a)}, {second}={label_text(b)}"
            for (first, second), cells in crossed.items()
            for (a, b), cell in cells.items()
            if not cell.cases
        ]
        return {
            "not_represented": {name: labels for name, labels in absent.items() if labels},
            "without_a_declared_share": {name: labels for name, labels in undeclared.items() if labels},
            "below_minimum": {name: labels for name, labels in few.items() if labels},
            "smallest_groups": smallest,
            "empty_cells": empty,
        }

    def _statement(
        self, data: Roster, lists: Mapping[str, Any], estimates: Sequence[Estimate], reason: str | None
    ) -> str:
        if reason:
            return f"Who is in the data cannot be said, because {reason}."
        text = f"{len(set(data.patients))} patients with {len(data)} cases."
        if not data.groups:
            return f"{text} No attribute is recorded: who they are is not known."
        if lists["not_represented"]:
            text += f" Not represented at all: {_listed(lists['not_represented'])}."
        if lists["below_minimum"]:
            text += f" Fewer than {self.min_group_size} patients: {_listed(lists['below_minimum'])}."
        if lists["empty_cells"]:
            text += f" Combinations of labels that nobody has: {len(lists['empty_cells'])}."
        tested = {next(iter(e.group)): e.value or 0.0 for e in estimates if e.name == "target_p_adjusted"}
        differ = [name for name, p in tested.items() if p <= 1 - self.level]
        if differ:
            text += f" Shares differ from the declared target population: {', '.join(differ)}."
        if same := [name for name in tested if name not in differ]:
            text += f" No difference from the declared target population was shown: {', '.join(same)}."
        return text if data.target else f"{text} {NO_TARGET}"

    @staticmethod
    def example(n: int, seed: int) -> Roster:
        """A roster of `n` patients with sex and site."""
        rng = np.random.default_rng(seed)
        return Roster(
            cases=tuple(f"case-{i}" for i in range(n)),
            patients=tuple(f"patient-{i}" for i in range(n)),
            groups={
                "sex": tuple("FM"[i] for i in rng.integers(0, 2, n)),
                "site": tuple("ABC"[i] for i in rng.integers(0, 3, n)),
            },
            positives=tuple((rng.random(n) < 0.3).tolist()),
            outcome="finding",
        )


def _listed(names: Mapping[str, Sequence[str]]) -> str:
    """Groups by name; those of intersections are many and are counted only."""
    single = [
        f"{name} {'not recorded' if label == label_text(None) else label}"
        for name, labels in names.items()
        if "*" not in name
        for label in labels
    ]
    crossed = sum(len(labels) for name, labels in names.items() if "*" in name)
    some = [f"{crossed} {'group' if crossed == 1 else 'groups'} of intersections"] if crossed else []
    return ", ".join([*single, *some])


def _crossings(
    data: Roster,
) -> tuple[dict[tuple[str, str], dict[tuple[str | None, str | None], CellCount]], list[str]]:
    """Every cell of every two attributes, empty ones too, as long as they are few; and the crossings left out."""
    found: dict[tuple[str, str], dict[tuple[str | None, str | None], CellCount]] = {}
    left_out: list[str] = []
    room = MOST_CELLS
    names = [name for name in data.groups if "*" not in name]
    for first, second in combinations(names, 2):
        axes = [
            sorted(set(data.groups[name]), key=lambda label: (label is None, label or "")) for name in (first, second)
        ]
        if len(axes[0]) * len(axes[1]) > room:
            left_out.append(f"{first}*{second}")
            continue
        room -= len(axes[0]) * len(axes[1])
        rows = rows_by_label(tuple(zip(data.groups[first], data.groups[second], strict=True)))
        found[first, second] = {(a, b): count_cell(data, rows.get((a, b), ())) for a in axes[0] for b in axes[1]}
    return found, left_out


def _cell(data: Roster, people: int, group: Mapping[str, str | None], cell: CellCount) -> list[Estimate]:
    """The counts of one cell; small ones are withheld, all of them, and `n` is that of everyone."""
    base: dict[str, Any] = {"unit": "1", "n": people, "n_unit": "patients", "group": group}
    numbers: list[tuple[str, float | None, str, str]] = [
        ("patients", cell.patients, "number of patients with a case here", _COUNT),
        ("cases", cell.cases, "number of cases", _COUNT),
    ]
    if data.positives:
        what = f"number of cases positive for {data.outcome or 'the outcome'}"
        shown = None if 0 < cell.positive_patients < FEWEST_SHOWN else cell.positives
        why = _COUNT if shown is not None else f"{_SMALL} with a positive case"
        numbers.append(("positives", shown, what, why))
    if data.positives and (cell.cases or cell.hidden):
        effect, why = cell.design_effect, "a design figure has no interval"
        why = why if effect is not None else "all or none of the cases are positive, or there is one patient"
        numbers.append(("design_effect", effect, "cases by the independent cases they are worth, for the outcome", why))
    return [
        Estimate(
            name=name,
            value=None if cell.hidden else value,
            estimand=what,
            reason=_SMALL if cell.hidden else why,
            **base,
        )
        for name, value, what, why in numbers
    ]
