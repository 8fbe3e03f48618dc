# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.source_probe`: can the source of an image be read from what the network makes of it?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.synthesis.data.embeddings import EmbeddingTable
from monai_ethics.synthesis.methods.probe import flag_permutations, fold_of_units, probe_areas

__all__ = ["SourceProbe"]

SOURCES = (
    Source(title="Raja Babu et al., Synthetic simplicity (2024)", url="https://arxiv.org/abs/2407.21674"),
    Source(title="G. Alain and Y. Bengio, Linear classifier probes (2016)", url="https://arxiv.org/abs/1610.01644"),
    Source(title="P. I. Good, Permutation, Parametric, and Bootstrap Tests (2005)", locator="chapter 3"),
)
LIMITATIONS = (
    "That the source can be read does not show that the network's answers use it: see the cells of source and class.",
    "A probe that fails is linear: the source may still be there in another form.",
    "Embeddings of images that the network was trained on would tell more than it makes of new ones.",
)
COUNTED = "a count of these images; the sources of all others are the recorded ones in every labeling"
NO_INTERVAL = "no interval: folds share training images; compare it with chance and the p-value"


@dataclass(frozen=True, kw_only=True)
class SourceProbe:
    """Can a linear probe tell synthetic from real images of one class by the network's embeddings?

    Ridge regression within class, in folds of whole patients or units, judged by the area under the ROC curve within
    a fold and a class. The p-value comes from permuting the source among units with images of the same classes, and
    within units that have both sources.

    Args:
        folds: folds of units.
        permutations: labelings drawn.
        ridge: penalty as a share of the mean squared length of an embedding.
        min_units: fewest units of either source.
        seed: of folds and labelings.

    Notes:
        A high area means that a shortcut is open, not that it is taken.

    References:
        arXiv 2407.21674; requirement TRU-09 is our conclusion from it.
    """

    id: ClassVar[str] = "synthesis.source_probe"
    title: ClassVar[str] = "Can the source of an image be read from the network's embedding?"
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]] = ("TRU-09",)

    folds: int = 5
    permutations: int = 999
    ridge: float = 0.1
    min_units: int = 10
    seed: int = 0

    def __call__(self, data: EmbeddingTable, /) -> Finding:
        """Probe the embeddings.

        Args:
            data: embeddings with source, class and unit.

        Returns:
            Verdict `measured`; `not_assessable` with fewer than `min_units` units of a source, or if no labeling can
            be permuted.
        """
        sets = data.canonical()
        kept = [i for i, row in enumerate(zip(sets.synthetic, sets.classes, strict=True)) if None not in row]
        used = sets.reordered(kept)
        flags = np.array([bool(flag) for flag in used.synthetic], dtype=bool)
        classes = [str(label) for label in used.classes]
        moved, reason = self._labelings(flags, classes, used)
        estimates: list[Estimate] = []
        if moved is not None:
            fold = fold_of_units(used.units, folds=self.folds, seed=self.seed)
            labelings = np.concatenate([flags[:, None], moved], axis=1)
            areas = probe_areas(used.embeddings, labelings, classes, fold, ridge=self.ridge)
            reason = "no fold has both sources of a class" if np.isnan(areas[""][0]) else None
            free = int((moved != moved[:, :1]).any(axis=1).sum())
            estimates = [] if reason else self._estimates(areas, flags, classes, free)
        unknown = sum(flag is None for flag in sets.synthetic)
        return Finding(
            **question_of(self),
            verdict=Verdict.MEASURED if estimates else Verdict.NOT_ASSESSABLE,
            statement=_statement(estimates, reason),
            subjects=("embedding",),
            estimates=estimates,
            accounting={
                "images_real": int((~flags).sum()),
                "images_synthetic": int(flags.sum()),
                "images_of_unknown_source": unknown,
                "images_without_class": len(sets.units) - len(kept) - unknown,
            },
            parameters=asdict(self),
            reason=reason,
            limitations=LIMITATIONS,
            sources=SOURCES,
            seed=self.seed,
        )

    @staticmethod
    def example(n: int, seed: int) -> EmbeddingTable:
        """`n` embeddings of two classes, half of them synthetic and a little off in one direction."""
        rng = np.random.default_rng(seed)
        made = [i % 2 == 1 for i in range(n)]
        rows = rng.standard_normal((n, 6))
        rows[:, 0] += np.array(made) * 2.0
        labels = ["ill" if i % 4 < 2 else "well" for i in range(n)]
        return EmbeddingTable(embeddings=rows, synthetic=made, classes=labels, units=[f"u{i}" for i in range(n)])

    def _labelings(
        self, flags: np.ndarray, classes: list[str], used: EmbeddingTable
    ) -> tuple[np.ndarray | None, str | None]:
        sizes = [len({u for u, flag in zip(used.units, flags, strict=True) if flag == kind}) for kind in (False, True)]
        if min(sizes) < max(self.min_units, self.folds):
            needed = max(self.min_units, self.folds)
            return None, f"{sizes[0]} real and {sizes[1]} synthetic units; {needed} of each are needed"
        draws = flag_permutations(flags, classes, used.units, draws=self.permutations, seed=self.seed + 1)
        return draws, None if draws is not None else "no class has units of both sources with the same images"

    def _estimates(
        self, areas: dict[str, np.ndarray], flags: np.ndarray, classes: list[str], free: int
    ) -> list[Estimate]:
        whole, common = areas[""], {"unit": "1", "n_unit": "images"}
        draws = whole[1:][~np.isnan(whole[1:])]
        n = len(flags)
        rank = (1 + int((draws >= whole[0] - 1e-12).sum())) / (1 + len(draws))
        what = "area under the ROC curve of a linear probe of the source, within class, in folds of units"

        def row(name: str, value: float | None, size: int, estimand: str, reason: str, **more: Any) -> Estimate:
            kept = {**common, **more, "n": size, "estimand": estimand, "reason": reason}
            return Estimate(name=name, value=value, **kept)

        alike = "if source and embedding were independent given the class"
        rows = [
            row("probe_auc", float(whole[0]), n, what, NO_INTERVAL),
            row(
                "probe_auc_null_95th", float(np.quantile(draws, 0.95)), n, f"95th percentile {alike}", "of permutations"
            ),
            row("p_value", rank, n, f"chance of so large an area {alike}", "a p-value has no interval"),
            row("images_permuted", free, n, "images whose source changed in any labeling", COUNTED, unit="images"),
        ]
        for label in sorted({*classes}):
            area = float(areas[label][0])
            defined = not np.isnan(area)
            reason = NO_INTERVAL if defined else "no fold has both sources of this class"
            value = area if defined else None
            rows.append(row("probe_auc", value, classes.count(label), what, reason, group={"class": label}))
        return rows


def _statement(estimates: list[Estimate], reason: str | None) -> str:
    value = {row.name: row.value for row in estimates if not row.group}
    if not value:
        return f"Whether the source can be read from the embedding cannot be said: {reason}."
    free, n = next((int(row.value or 0), row.n) for row in estimates if row.name == "images_permuted")
    fixed = f", where {free} of {n} images could change their source" if free < n else ""
    return (
        f"A linear probe tells synthetic from real images of one class with an area of {value['probe_auc']:.2f}; "
        f"permuted sources give up to {value['probe_auc_null_95th']:.2f} in 19 of 20 labelings{fixed}; "
        f"p = {value['p_value']:.2g}."
    )
