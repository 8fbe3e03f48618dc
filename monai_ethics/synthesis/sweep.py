# SPDX-License-Identifier: Apache-2.0
"""Run a sweep over the share of real training images with a trainer of your own, and keep every score in one CSV."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.sweep_file import read_sweep
from monai_ethics.synthesis.data.sweep_table import DESIGNS, Recipe, SweepTable, arm_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SweepPlan", "TestCase", "run_sweep"]

Item = TypeVar("Item")
Score = float | None | Mapping[str, float | None]
Scores = Callable[[Any], Score] | Mapping[str, Score]
Progress = Callable[[int, int], None]
FIRST = ("arm", "design", "real_fraction", "seed", "tested_on", "case", "patient", "region", "roi_size")


@dataclass(frozen=True, kw_only=True)
class TestCase:
    """A case that every trained model is tested on.

    Args:
        item: what the predictor is given.
        case: name of the case.
        patient: its patient; the case itself if not given. Of a synthetic image, what it was generated with.
        synthetic: whether it is a synthetic test image: it is reported apart.
        groups: attribute to label, such as ``{"sex": "F"}``.
        roi_size: size of its region of interest in any unit, or one for each region.
    """

    __test__ = False  # not a test of pytest

    item: Any
    case: str
    patient: str | None = None
    synthetic: bool = False
    groups: Mapping[str, str | None] = field(default_factory=dict)
    roi_size: float | Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """Which mixes are trained.

    Args:
        real_fractions: shares of real items; 1 is needed, for it is what the others are compared with.
        designs: ``"fixed_total"`` (the number of items stays) and ``"fixed_real"`` (synthetic items are added).
        seeds: seeds of the drawing of items and of the trainer; 3 at least, 5 for a statement about the recipe.
        total: training items in the design of fixed total; as many as both kinds allow if not given.
        n_real: real items in the design of fixed real; as many as the synthetic ones allow if not given.
    """

    real_fractions: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    designs: tuple[str, ...] = DESIGNS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    total: int | None = None
    n_real: int | None = None

    def jobs(self, real: int, synthetic: int) -> list[tuple[Recipe, int, int]]:
        """Every recipe with its numbers of real and synthetic items.

        Args:
            real: real items at hand.
            synthetic: synthetic items at hand.

        Raises:
            InputError: if the plan lacks the share 1 or 3 seeds, or asks for more items than there are.
        """
        self._sound()
        shares = sorted({*self.real_fractions})
        total = min(real, synthetic) if self.total is None else self.total
        most = min((int(synthetic * f / (1 - f) + 1e-9) for f in shares if 0 < f < 1), default=real)
        n_real = min(real, most) if self.n_real is None else self.n_real
        out = []
        for design in self.designs:
            for share in shares:
                if design == "fixed_real" and share == 0:
                    continue  # without a real item nothing is held fixed
                kept = round(total * share) if design == "fixed_total" else n_real
                made = total - kept if design == "fixed_total" else round(n_real * (1 - share) / share)
                out.append((Recipe(design=design, real_fraction=share), kept, made))
        if any(kept > real or made > synthetic or kept + made < 1 for _, kept, made in out):
            raise InputError(
                f"The plan must find its items among {real} real and {synthetic} synthetic ones: got too few. "
                "Lower `total` or `n_real`, or give more."
            )
        return out

    def _sound(self) -> None:
        if 1.0 not in self.real_fractions or not all(0 <= share <= 1 for share in self.real_fractions):
            raise InputError("`real_fractions` must lie between 0 and 1 and hold 1: got others. Add 1.0.")
        if not self.designs or not {*self.designs} <= {*DESIGNS}:
            raise InputError(f"`designs` must be among {', '.join(DESIGNS)}: got another. Rename it.")
        if len({*self.seeds}) < 3:
            raise InputError(f"A sweep needs at least 3 different seeds: got {len({*self.seeds})}. Add seeds.")


def run_sweep(
    train: Callable[[Sequence[Any], int], Scores],
    *,
    real: Sequence[Item],
    synthetic: Sequence[Item],
    test: Sequence[TestCase],
    out: str | Path,
    plan: SweepPlan | None = None,
    training_patients: Sequence[str] = (),
    progress: Progress | None = None,
) -> SweepTable:
    """Train every mix of the plan with every seed, test each model, and keep the scores.

    Items are drawn by seed, so that of two shares the smaller one's items are among the larger one's. Each finished
    training is written to `out` at once; called again, only what is missing is trained.

    Args:
        train: ``train(items, seed)``, which returns a predictor (``predictor(item)`` gives a score, or one for each
            region) or a mapping from the name of a test case to such a score.
        real: real training items, of whatever kind the trainer reads.
        synthetic: synthetic training items.
        test: test cases; the real ones decide, synthetic ones are reported apart.
        out: the CSV to write; its plan lies beside it.
        plan: what is trained; the five shares in both designs with five seeds if not given.
        training_patients: patients of the real items and those that synthetic items were conditioned on, if known.
        progress: called with the trainings done and all trainings; a bar on the terminal if not given.

    Returns:
        The table, as `monai_ethics.synthesis.utility.SynthesisUtility` takes it.

    Raises:
        InputError: if the plan cannot be formed, a patient is in training and in the test, or the CSV is of another
            plan.
    """
    plan = plan or SweepPlan()
    path = Path(out)
    _testable(test, training_patients)
    jobs = plan.jobs(len(real), len(synthetic))
    rows = _begun(path, plan, jobs, test)
    labels: dict[tuple[int, int, int], list[Recipe]] = {}
    for recipe, kept, made in jobs:
        for seed in plan.seeds:
            labels.setdefault((kept, made, seed), []).append(recipe)
    done = {(row["design"], row["real_fraction"], row["seed"]) for row in rows}
    with _shown(progress) as show:
        for place, (job, recipes) in enumerate(labels.items()):
            show(place, len(labels))
            missing = [r for r in recipes if (r.design, repr(r.real_fraction), str(job[2])) not in done]
            if missing:
                scores = train(_drawn(real, synthetic, *job), job[2])
                tested = [row for case in test for row in _tested(case, scores)]
                rows += [_labeled(row, recipe, job[2]) for recipe in missing for row in tested]
                _write(path, rows)
        show(len(labels), len(labels))
    return read_sweep(path)


def _drawn(real: Sequence[Item], synthetic: Sequence[Item], kept: int, made: int, seed: int) -> list[Item]:
    rng = np.random.default_rng(seed)
    orders = rng.permutation(len(real)), rng.permutation(len(synthetic))
    return [*(real[i] for i in orders[0][:kept]), *(synthetic[i] for i in orders[1][:made])]


def _tested(case: TestCase, scores: Scores) -> list[dict[str, str]]:
    if isinstance(scores, Mapping):
        if case.case not in scores:
            raise InputError("The trainer must return a score for every test case: one is missing. Give None for it.")
        found = scores[case.case]
    else:
        found = scores(case.item)
    regions = found if isinstance(found, Mapping) else {"": found}
    row = {
        "tested_on": "synthetic" if case.synthetic else "real",
        "case": case.case,
        "patient": case.case if case.patient is None else case.patient,
        **{name: label or "" for name, label in case.groups.items()},
    }
    out = []
    for region, score in regions.items():
        size = case.roi_size.get(region) if isinstance(case.roi_size, Mapping) else case.roi_size
        more = {"region": region} if region else {}
        more |= {} if size is None else {"roi_size": repr(float(size))}
        out.append({**row, **more, "score": "" if score is None else repr(float(score))})
    return out


def _labeled(row: Mapping[str, str], recipe: Recipe, seed: int) -> dict[str, str]:
    share = repr(recipe.real_fraction)
    return {
        **row,
        "arm": arm_of(recipe.real_fraction),
        "design": recipe.design,
        "real_fraction": share,
        "seed": f"{seed}",
    }


def _testable(test: Sequence[TestCase], training_patients: Sequence[str]) -> None:
    names = [case.case for case in test]
    if not any(not case.synthetic for case in test) or len({*names}) != len(names):
        raise InputError("A sweep needs real test cases, each under a name of its own: got none, or a name twice.")
    shared = {case.patient or case.case for case in test if not case.synthetic} & {*training_patients}
    if shared:
        raise InputError(
            f"Patients must be in training or in the test: got {len(shared)} in both, where a synthetic item counts "
            "for the patient it was conditioned on. Move them to one side."
        )


def _begun(
    path: Path, plan: SweepPlan, jobs: Sequence[tuple[Recipe, int, int]], test: Sequence[TestCase]
) -> list[dict[str, str]]:
    """Rows that an earlier call left, if it had the same plan."""
    numbers = [(r.design, r.real_fraction, kept, made) for r, kept, made in jobs]
    cases = [(case.case, case.patient, case.synthetic) for case in test]
    digest = hashlib.sha256(json.dumps([numbers, cases]).encode("utf-8", "surrogatepass")).hexdigest()
    beside = path.with_name(f"{path.name}.plan.json")
    if path.exists():
        known = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
        if known.get("digest") != digest:
            raise InputError(
                "A sweep is continued with the plan and the test cases it began with: got others. Name another `out`."
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside.write_text(json.dumps({"digest": digest, "plan": asdict(plan)}, indent=1), encoding="utf-8")
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]


def _write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Replace the table in one step: what is there is always whole trainings."""
    names = {name for row in rows for name in row} - {"score"}
    columns = [*(name for name in FIRST if name in names), *sorted(names - {*FIRST}), "score"]
    part = path.with_name(f"{path.name}.part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(part, path)


@contextmanager
def _shown(progress: Progress | None) -> Iterator[Progress]:
    if progress is not None:
        yield progress
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    with Bars(console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("trainings")
        yield lambda done, total: bars.update(task, completed=done, total=total)
