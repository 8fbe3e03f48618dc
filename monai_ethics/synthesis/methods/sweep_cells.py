# SPDX-License-Identifier: Apache-2.0
"""Tables of seeds by patients, cut from a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from monai_ethics.synthesis.data.sweep_table import Recipe, SweepTable
from monai_ethics.synthesis.methods.labels import why_no_grouping

__all__ = ["Cells", "Stratum"]

MOST_REGIONS = 200  # organs that one segmentation may have


class Stratum(NamedTuple):
    """Some rows of a sweep: of one label of a group, or all."""

    group: dict[str, str | None]
    rows: np.ndarray


class Cells:
    """A sweep, indexed for cutting.

    Args:
        table: the sweep.
    """

    def __init__(self, table: SweepTable) -> None:
        self.table = table
        self.values = np.array([np.nan if value is None else value for value in table.values], dtype=np.float64)
        self.seeds = np.array(table.seeds, dtype=np.int64)
        self.synthetic = np.array([word == "synthetic" for word in table.tested_on or ()], dtype=bool)
        names = sorted(table.groups)
        keys = [*zip(table.cases, *(table.groups[name] for name in names), strict=True)]
        self.items = _codes(keys)
        self.patients = _codes(table.patients)
        self._recipe = _codes([*zip(table.designs, table.real_fractions, strict=True)])
        self._of = {
            Recipe(design=d, real_fraction=f): code
            for d, f, code in zip(table.designs, table.real_fractions, self._recipe, strict=True)
        }

    def strata(self) -> list[Stratum]:
        """Everyone first, then every label of every group."""
        out = [Stratum({}, np.ones(len(self.values), dtype=bool))]
        left_out = self.left_out()
        for name, column in sorted(self.table.groups.items()):
            if name in left_out:
                continue
            labels = sorted({*column}, key=lambda text: (text is None, text or ""))
            out += [
                Stratum({name: label}, np.array([text == label for text in column], dtype=bool)) for label in labels
            ]
        return out

    def left_out(self) -> dict[str, str]:
        """Columns that form no groups, such as file names, and why: their labels would stand in the evidence."""
        found = {
            name: why_no_grouping(name, column, self.table.patients, most=MOST_REGIONS)
            for name, column in self.table.groups.items()
        }
        return {name: reason for name, reason in sorted(found.items()) if reason is not None}

    def trained(self, recipe: Recipe) -> set[int]:
        """Seeds with which a recipe was trained."""
        return {*self.seeds[self._recipe == self._of[recipe]].tolist()} if recipe in self._of else set()

    def cut(self, recipes: Sequence[Recipe], stratum: Stratum, *, synthetic: bool = False) -> list[np.ndarray]:
        """Patients' mean scores of each recipe, over the cases scored in every training of all of them.

        Args:
            recipes: what is compared; only the seeds that all of them share count.
            stratum: which rows.
            synthetic: whether the tests on synthetic images are meant.

        Returns:
            One table of shape ``(seeds, patients)`` per recipe, with equal seeds and patients in equal places.
        """
        shared = sorted(set.intersection(*(self.trained(recipe) for recipe in recipes)))
        wanted = stratum.rows & (self.synthetic == synthetic)
        items = np.unique(self.items[wanted])
        whole = np.full((len(recipes), len(shared), len(items)), np.nan)
        owner = np.zeros(len(items), dtype=np.int64)
        for place, recipe in enumerate(recipes):
            rows = np.flatnonzero(wanted & (self._recipe == self._of[recipe]) & np.isin(self.seeds, shared))
            column = np.searchsorted(items, self.items[rows])
            whole[place, np.searchsorted(shared, self.seeds[rows]), column] = self.values[rows]
            owner[column] = self.patients[rows]
        kept = ~np.isnan(whole).any(axis=(0, 1))
        patients, codes = np.unique(owner[kept], return_inverse=True)
        spread = np.zeros((int(kept.sum()), len(patients)))
        spread[np.arange(len(codes)), codes] = 1.0
        spread /= np.maximum(spread.sum(0), 1.0)
        return [side[:, kept] @ spread for side in whole]

    def fates(self) -> dict[str, int]:
        """What became of every row, by count."""
        defined = ~np.isnan(self.values)
        tests = self.items * 2 + self.synthetic
        trainings = len({*zip(self._recipe.tolist(), self.seeds.tolist(), strict=True)})
        times = np.bincount(tests[defined], minlength=int(tests.max(initial=0)) + 1)
        everywhere = defined & (times[tests] == trainings)
        return {
            "scores_of_cases_in_every_training": int(everywhere.sum()),
            "scores_of_cases_missing_in_some_training": int((defined & ~everywhere).sum()),
            "scores_undefined": int((~defined).sum()),
        }


def _codes(values: Sequence[object]) -> np.ndarray:
    places: dict[object, int] = {}
    return np.array([places.setdefault(value, len(places)) for value in values], dtype=np.int64)
