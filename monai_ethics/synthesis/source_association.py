# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.source_association`: does the source of an image go with its label, and does the model use it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.synthesis.data.source_table import SourceTable
from monai_ethics.synthesis.methods.association import cramers_v, unit_rate

__all__ = ["SourceAssociation"]

SOURCES = (
    Source(title="Raja Babu et al., Synthetic simplicity (2024)", url="https://arxiv.org/abs/2407.21674"),
    Source(title="H. Cramer, Mathematical Methods of Statistics (1946)", locator="section 21.9"),
    Source(title="M. Smithson, Confidence Intervals (2003)", locator="section 4.4"),
)
LIMITATIONS = (
    "It counts recorded labels and sources: what else tells the source, such as contrast, is not looked at.",
    "Without association in the list a model can still learn the source, and with it a model need not.",
    "Cells are judged one at a time; the worst one is named by the same values.",
)
NAMES = {True: "synthetic", False: "real"}
COUNTED = "a count of this list, not an estimate from a sample"
CHANCE = "what so many items give on average without any association"
CHOSEN = "no interval: the cell is named by the same values; see its own"


@dataclass(frozen=True, kw_only=True)
class SourceAssociation:
    """Does the source (real or synthetic) go with the label, the site or the group, and does accuracy show it?

    Cramer's V of source and each column of the training list; if the model was tested on both sources, its accuracy in
    every cell of source and class, the worst beside the mean. A cell without training items is one that the data do
    not support: where the source goes with the label, accuracy there falls to nothing while the mean stays high.

    Args:
        level: nominal coverage of intervals.
        min_units: fewest units (patients) with a known source and label: with fewer, intervals are too short.

    Notes:
        Items whose source is not known are counted as such, never as real.

    References:
        arXiv 2407.21674 (shortcut by source), arXiv 2502.02076.
    """

    id: ClassVar[str] = "synthesis.source_association"
    title: ClassVar[str] = "Does the source of an image go with its label?"
    stage: ClassVar[Stage] = Stage.TRAINING
    requirements: ClassVar[tuple[str, ...]] = ("TRU-07", "TRU-08", "MIS-12")

    level: float = 0.95
    min_units: int = 20

    def __call__(self, data: SourceTable, /) -> Finding:
        """Measure the association, and the accuracy of each cell.

        Args:
            data: training items, and test items with answers if there are any.

        Returns:
            Verdict `measured`; `not_assessable` if both sources or two classes are not there.
        """
        columns = {"label": data.labels, **dict(sorted(data.attributes.items()))}
        rows = {name: self._association(data, name, column) for name, column in columns.items()}
        cells = self._cells(data)
        estimates = [row for found in rows.values() for row in found] + cells
        reason = None if rows["label"][0].value is not None else rows["label"][0].reason
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=_statement(rows["label"], cells, reason),
            subjects=tuple(columns),
            estimates=estimates,
            accounting=_accounting(data),
            parameters=asdict(self),
            reason=reason,
            limitations=LIMITATIONS,
            sources=SOURCES,
        )

    @staticmethod
    def example(n: int, seed: int) -> SourceTable:
        """`n` training items of which synthetic ones are mostly ill, and as many tested ones."""
        rng = np.random.default_rng(seed)
        made = rng.random(n) < 0.5
        ill = rng.random(n) < np.where(made, 0.8, 0.2)
        labels = ["ill" if each else "well" for each in ill]
        right = rng.random(n) < np.where(made == ill, 0.95, 0.5)
        return SourceTable(
            synthetic=made.tolist(),
            labels=labels,
            units=[f"p{i // 2}" for i in range(n)],
            attributes={"site": [None if i % 9 == 0 else "AB"[int(x)] for i, x in enumerate(rng.random(n) < 0.5)]},
            tested_synthetic=made.tolist(),
            tested_labels=labels,
            tested_correct=right.tolist(),
        )

    def _association(self, data: SourceTable, name: str, column: Sequence[str | None]) -> list[Estimate]:
        known = [i for i, flag in enumerate(data.synthetic) if flag is not None and column[i] is not None]
        flags, labels = [NAMES[bool(data.synthetic[i])] for i in known], [str(column[i]) for i in known]
        units = data.units or ()
        found = None
        owners = [units[i] for i in known]
        reason = f"{len({*owners})} units have source and {name} on record; {self.min_units} are needed"
        if len({*owners}) >= max(self.min_units, 2):
            found = cramers_v(flags, labels, owners, level=self.level)
            reason = f"all items are of one source, of one {name}, or of one unit"
        common: dict[str, Any] = {"unit": "1", "n": len(data.synthetic), "n_unit": "items", "n_valid": len(known)}
        return [
            Estimate(
                name=f"source_{name}_association",
                value=None if found is None else found.value,
                low=None if found is None else found.low,
                high=None if found is None else found.high,
                level=None if found is None else self.level,
                method="Cramer's V; noncentral chi-squared and linearized by unit, the wider end of both",
                estimand=f"association of being synthetic and {name}, 0 none to 1 complete",
                reason=reason if found is None else None,
                **common,
            ),
            Estimate(
                name=f"source_{name}_association_by_chance",
                value=None if found is None else found.chance,
                estimand=f"root mean square of the association of source and {name} if there were none",
                reason=reason if found is None else CHANCE,
                **common,
            ),
        ]

    def _cells(self, data: SourceTable) -> list[Estimate]:
        """Training items and accuracy of each cell of source and class, the mean and the worst."""
        trained = Counter(zip(data.synthetic, data.labels, strict=True))
        tested = [
            i
            for i, flag in enumerate(data.tested_synthetic)
            if flag is not None and data.tested_labels[i] is not None and data.tested_correct[i] is not None
        ]
        classes = sorted({label for label in [*data.labels, *data.tested_labels] if label is not None})
        rows, shares = [], []
        units = data.tested_units or ()
        for flag in (False, True):
            for label in classes:
                group = {"source": NAMES[flag], "class": label}
                rows.append(_count(trained[(flag, label)], len(data.synthetic), group))
                if not data.tested_synthetic:
                    continue
                own = [i for i in tested if bool(data.tested_synthetic[i]) is flag and data.tested_labels[i] == label]
                found = unit_rate(
                    [bool(data.tested_correct[i]) for i in own], [units[i] for i in own], level=self.level
                )
                rows.append(self._accuracy(found, len(own), group))
                shares += [] if found is None else [found[0]]
        return [*rows, *_summary(shares, len(tested), 2 * len(classes))] if data.tested_synthetic else rows

    def _accuracy(self, found: tuple[float, float, float] | None, n: int, group: dict[str, str]) -> Estimate:
        value, low, high = found or (None, None, None)
        return Estimate(
            name="cell_accuracy",
            value=value,
            low=low,
            high=high,
            level=None if found is None else self.level,
            method="Wilson, at the effective number of items where units repeat",
            unit="1",
            n=n,
            n_unit="items",
            estimand="share of right answers among tested items of this source and class",
            group=group,
            reason=None if found else "no item of this source and class was tested",
        )


def _count(count: int, n: int, group: dict[str, str]) -> Estimate:
    what = "training items of this source and class"
    return Estimate(
        name="training_items",
        value=count,
        unit="items",
        n=n,
        n_unit="items",
        estimand=what,
        group=group,
        reason=COUNTED,
    )


def _summary(shares: Sequence[float], n: int, cells: int) -> list[Estimate]:
    """The mean over cells and the worst cell; no number if a cell was not tested."""
    whole = len(shares) == cells and cells > 0
    missing = f"{cells - len(shares)} of {cells} cells of source and class were not tested"
    common: dict[str, Any] = {"unit": "1", "n": n, "n_unit": "items"}
    rows = (
        ("mean_cell_accuracy", "mean accuracy over cells of source and class", "no interval: see the cells'"),
        ("worst_cell_accuracy", "lowest accuracy of a cell of source and class", CHOSEN),
    )
    values = (float(np.mean(shares)), min(shares)) if whole else (None, None)
    return [
        Estimate(name=name, value=value, estimand=what, reason=why if whole else missing, **common)
        for (name, what, why), value in zip(rows, values, strict=True)
    ]


def _accounting(data: SourceTable) -> dict[str, int]:
    counts = Counter(
        "training_items_of_unknown_source" if flag is None else f"training_items_{NAMES[bool(flag)]}"
        for flag in data.synthetic
    )
    use = Counter(
        "test_items_used" if None not in row else "test_items_without_source_label_or_answer"
        for row in zip(data.tested_synthetic, data.tested_labels, data.tested_correct, strict=True)
    )
    return dict(sorted((counts + use).items()))


def _statement(label: Sequence[Estimate], cells: Sequence[Estimate], reason: str | None) -> str:
    if reason:
        return f"Whether the source goes with the label cannot be said: {reason}."
    row, chance = label
    words = (
        f"Cramer's V of source and label is {row.value:.2f} [{row.low:.2f}, {row.high:.2f}] in {row.n_valid} training "
        f"items, where about {chance.value:.2f} is what chance gives."
    )
    known = {item.name: item.value for item in cells if not item.group}
    if known.get("worst_cell_accuracy") is None:
        return words
    accuracy = [item for item in cells if item.name == "cell_accuracy" and item.value is not None]
    worst = min(accuracy, key=lambda item: item.value or 0.0)
    where = f"{worst.group['source']} items of class {worst.group['class']}"
    mean = known["mean_cell_accuracy"]
    beside = f"[{worst.low:.2f}, {worst.high:.2f}], {worst.n} tested"
    return f"{words} Accuracy is {mean:.2f} on average over cells and {worst.value:.2f} for {where} ({beside})."
