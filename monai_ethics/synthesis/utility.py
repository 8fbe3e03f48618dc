# SPDX-License-Identifier: Apache-2.0
"""Check `synthesis.utility`: what training on synthetic images does to performance on real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from monai_ethics.evidence import Estimate, Finding, Source, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.statistics.intervals import T_FROM
from monai_ethics.synthesis.data.sweep_table import Recipe, SweepTable, arm_of
from monai_ethics.synthesis.methods.crossed import Spread, models_spread, recipe_spread, smallest_margin
from monai_ethics.synthesis.methods.sweep_cells import Cells, Stratum

__all__ = ["SynthesisUtility"]

SOURCES = (
    Source(title="Raja Babu et al., Building trust in synthetic data", url="https://arxiv.org/abs/2502.02076"),
    Source(title="R. L. Brennan, Generalizability Theory (2001)", locator="section 5.1"),
    Source(title="D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987)", locator="two one-sided tests"),
)
LIMITATIONS = (
    "It speaks of performance on these real test cases, of this task and trainer: algorithmic evaluation only.",
    "Intervals hold one at a time: the more recipes and groups, the likelier one excludes 0 by chance.",
    "An interval of the trained models says nothing of what another seed would give.",
    "No margin is built in: what difference is negligible is for a policy with a source to say.",
)
MODELS = "Student's t over patients, the trained models held fixed"
RECIPE = "Student's t over seeds and patients, crossed, Satterthwaite's degrees of freedom"
MARGIN = "a bound has no interval: it is the end of one"
BASE = "train-real in the same design"


@dataclass(frozen=True, kw_only=True)
class SynthesisUtility:
    """What does training on synthetic images do to performance on real ones, and for whom?

    Every share of real images is compared with training on real ones alone, on the same test cases, with two
    intervals: of *these models*, over patients, with the trainings held fixed; and of *this recipe*, over patients and
    seeds, crossed. The second needs `min_seeds` trainings of each arm.

    Args:
        level: nominal coverage of intervals; the margin is that of two one-sided tests at ``1 - level``.
        min_seeds: fewest seeds for an interval of the recipe.
        min_group_size: smallest group of which a number is given, in patients; an interval needs 30.

    Notes:
        With few seeds, a test of paired cases takes what one seed did for what the recipe does: with 3 seeds it
        rejects .38 of differences that are none, at a nominal .05. It does not say why a model is better or worse.

    References:
        arXiv 2502.02076 (share of synthetic images, small regions), arXiv 2407.21674.
    """

    id: ClassVar[str] = "synthesis.utility"
    title: ClassVar[str] = "What does training on synthetic images do to performance on real ones?"
    stage: ClassVar[Stage] = Stage.TRAINING
    requirements: ClassVar[tuple[str, ...]] = ("TRU-01", "TRU-02", "TRU-03", "TRU-06", "GEN-05", "MIS-12")

    level: float = 0.95
    min_seeds: int = 5
    min_group_size: int = 10

    def __call__(self, data: SweepTable, /) -> Finding:
        """Compare all recipes of a sweep.

        Args:
            data: scores by training and test case.

        Returns:
            Verdict `measured`; `not_assessable` without two recipes, one of them on real items alone, that were tested
            on the same real cases of `min_group_size` patients.
        """
        table = data.canonical()
        cells = Cells(table)
        strata = cells.strata()
        reason = self._reason(table, cells, strata[0])
        estimates: list[Estimate] = []
        if not reason:
            estimates = [row for recipe in table.recipes for part in strata for row in self._rows(cells, recipe, part)]
        few = min((len(cells.trained(recipe)) for recipe in table.recipes), default=0)
        return Finding(
            **question_of(self),
            verdict=Verdict.NOT_ASSESSABLE if reason else Verdict.MEASURED,
            statement=_statement(table, estimates) if not reason else _unknown(table, reason),
            subjects=(table.metric,),
            estimates=estimates,
            accounting=cells.fates(),
            parameters={
                **asdict(self),
                "arms": sorted({arm_of(recipe.real_fraction) for recipe in table.recipes}),
                "seeds_by_recipe": {_name(recipe): len(cells.trained(recipe)) for recipe in table.recipes},
                "higher_is_better": table.higher_is_better,
                **({"columns_left_out": left_out} if (left_out := cells.left_out()) else {}),
            },
            reason=reason or (self._few(few) if few < self.min_seeds else None),
            limitations=LIMITATIONS,
            sources=SOURCES,
        )

    @staticmethod
    def example(n: int, seed: int) -> SweepTable:
        """`n` test cases under three shares and five seeds; synthetic images alone cost a tenth, more in one sex."""
        rng = np.random.default_rng(seed)
        rows = [(share, run) for share in (0.0, 0.5, 1.0) for run in range(5)]
        case = rng.normal(0.8, 0.05, n)
        sexes = ["FM"[i % 2] for i in range(n)]
        loss = 0.1 + 0.05 * np.array([sex == "F" for sex in sexes])
        scores = [case - loss * (share == 0) + rng.normal(0, 0.01) + rng.normal(0, 0.02, n) for share, _ in rows]
        return SweepTable(
            metric="dice",
            designs=("fixed_total",) * (n * len(rows)),
            real_fractions=[share for share, _ in rows for _ in range(n)],
            seeds=[run for _, run in rows for _ in range(n)],
            cases=[f"c{i}" for _ in rows for i in range(n)],
            patients=[f"p{i}" for _ in rows for i in range(n)],
            values=[float(value) for column in scores for value in column],
            groups={"sex": sexes * len(rows)},
        )

    def _reason(self, table: SweepTable, cells: Cells, everyone: Stratum) -> str | None:
        pairs = [recipe for recipe in table.recipes if recipe != recipe.baseline and cells.trained(recipe.baseline)]
        if not pairs:
            return "no share of real items stands beside train-real in one design, so nothing can be compared"
        sizes = [cells.cut((recipe, recipe.baseline), everyone)[0].shape for recipe in pairs]
        if not any(seeds for seeds, _ in sizes):
            return "no seed was trained in both arms: train each share with the same seeds"
        if max(patients for seeds, patients in sizes if seeds) < max(self.min_group_size, 2):
            most = max(patients for seeds, patients in sizes if seeds)
            return f"{most} patients were scored in every training of two arms; {self.min_group_size} are needed"
        return None

    def _few(self, seeds: int) -> str:
        return f"{seeds} seeds; what a recipe gives is judged from {self.min_seeds} trainings of each arm on"

    def _rows(self, cells: Cells, recipe: Recipe, part: Stratum) -> list[Estimate]:
        common: dict[str, Any] = {"unit": cells.table.unit, "group": {**recipe.group, **part.group}}
        (own,) = cells.cut((recipe,), part)
        arm = arm_of(recipe.real_fraction)
        rows = [
            self._row("score", [own], "models", f"mean over patients on real test cases, {arm}", common),
            self._seed_sd(own, common),
        ]
        if recipe != recipe.baseline and cells.trained(recipe.baseline):
            sides = cells.cut((recipe, recipe.baseline), part)
            rows += self._differences([sides[0] - sides[1]], f"{arm} minus {BASE}, mean over patients", common)
        if cells.synthetic.any():
            tests = [own, *cells.cut((recipe,), part, synthetic=True)]
            what = "same models, score on real test cases minus score on synthetic test images"
            rows.append(self._row("real_synthetic_gap", tests, "recipe", f"{what}, of this recipe", common))
        return rows

    def _differences(self, paired: list[np.ndarray], what: str, common: dict[str, Any]) -> list[Estimate]:
        said = f"smallest margin for which two one-sided tests show equivalence: {what}"
        return [
            self._row("difference_models", paired, "models", f"{what}, of these models", common),
            self._row("difference_recipe", paired, "recipe", f"{what}, of this recipe", common),
            self._margin("equivalence_margin_models", paired, "models", f"{said}, of these models", common),
            self._margin("equivalence_margin_recipe", paired, "recipe", f"{said}, of this recipe", common),
        ]

    def _row(self, name: str, sides: list[np.ndarray], whose: str, estimand: str, common: dict[str, Any]) -> Estimate:
        value, spread, reason = self._spread(sides, whose)
        low, high = (None, None) if spread is None else spread.interval(self.level)
        return Estimate(
            name=name,
            value=value,
            n=sides[0].shape[1],
            n_unit="patients",
            estimand=f"{estimand}; {_units(sides)}",
            low=low,
            high=high,
            level=None if spread is None else self.level,
            method=RECIPE if whose == "recipe" else MODELS,
            reason=reason,
            **common,
        )

    def _margin(
        self, name: str, sides: list[np.ndarray], whose: str, estimand: str, common: dict[str, Any]
    ) -> Estimate:
        _, spread, reason = self._spread(sides, whose)
        return Estimate(
            name=name,
            value=None if spread is None else smallest_margin(spread, significance=1 - self.level),
            n=sides[0].shape[1],
            n_unit="patients",
            estimand=f"{estimand}; {_units(sides)}",
            method=RECIPE if whose == "recipe" else MODELS,
            reason=reason or MARGIN,
            **common,
        )

    def _spread(self, sides: list[np.ndarray], whose: str) -> tuple[float | None, Spread | None, str | None]:
        """The number, what its interval is made of, and the reason where one of them is missing."""
        enough = max(self.min_group_size, 2)
        seeds = sides[0].shape[0]
        for side, kind in zip(sides, ("patients", "units of synthetic test images"), strict=False):
            if not seeds or side.shape[1] < enough:
                return None, None, f"{side.shape[1]} {kind} were scored in all of these trainings; {enough} are needed"
        means = [float(side.mean()) for side in sides]
        value = means[0] - sum(means[1:])
        if whose == "recipe" and seeds < max(self.min_seeds, 2):
            return value, None, self._few(seeds)
        if min(side.shape[1] for side in sides) < T_FROM:
            return value, None, f"fewer than {T_FROM} patients: a few failures among them make Student's t too sure"
        spread = (recipe_spread if whose == "recipe" else models_spread)(sides)
        if spread is None or not spread.se > 0:
            return value, None, "all scores are equal, of which Student's t would be sure"
        return value, spread, None

    def _seed_sd(self, own: np.ndarray, common: dict[str, Any]) -> Estimate:
        seeds, patients = own.shape
        known = seeds > 1 and patients >= max(self.min_group_size, 2)
        return Estimate(
            name="seed_sd",
            value=float(own.mean(1).std(ddof=1)) if known else None,
            n=seeds,
            n_unit="seeds",
            estimand="standard deviation over seeds of the mean score on these patients",
            reason="a description of these trainings" if known else f"{seeds} seeds, {patients} patients",
            **common,
        )


def _units(sides: Sequence[np.ndarray]) -> str:
    units = f", {sides[1].shape[1]} units of synthetic test images" if len(sides) > 1 else ""
    return f"{sides[0].shape[0]} seeds{units}"


def _name(recipe: Recipe) -> str:
    return f"{recipe.design} {recipe.real_fraction:.4g}"


def _unknown(table: SweepTable, reason: str) -> str:
    return f"{table.metric}: what training on synthetic images does cannot be said, because {reason}."


def _statement(table: SweepTable, estimates: Sequence[Estimate]) -> str:
    """The differences of everyone from worst to best, and the worst of any group."""
    known = [row for row in estimates if row.name == "difference_recipe" and row.value is not None]
    everyone = [row for row in known if len(row.group) == len(Recipe.__slots__)]
    grouped = [row for row in known if row not in everyone]
    worse = -1.0 if table.higher_is_better is False else 1.0

    def order(row: Estimate) -> float:
        return worse * (row.value or 0.0)

    everyone.sort(key=order)
    words = [f"{table.metric} on real test cases, against training on real items alone: {_told(everyone[0])}"]
    if len(everyone) > 1:
        words.append(f"the best of {len(everyone)} shares {_told(everyone[-1])}")
    if grouped:
        words.append(f"the worst in a group {_told(min(grouped, key=order))}")
    return "; ".join(words) + "."


def _told(row: Estimate) -> str:
    labels = [label or "not recorded" for name, label in row.group.items() if name not in Recipe.__slots__]
    where = f", {labels[0]}" if labels else ""
    ends = f" [{row.low:.3g}, {row.high:.3g}]" if row.low is not None else f" (no interval: {row.reason})"
    recipe = f"real_fraction {row.group['real_fraction']}, {str(row.group['design']).replace('_', ' ')}"
    return f"{row.value:+.3g}{ends} ({recipe}{where}, {row.n} patients)"
