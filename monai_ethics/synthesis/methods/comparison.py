# SPDX-License-Identifier: Apache-2.0
"""What the checks of whole sets share: which images they use, and how their numbers are written down."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from monai_ethics.errors import NotAssessableError
from monai_ethics.evidence import Estimate, Finding, Stage, Verdict
from monai_ethics.registry import question_of
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.kernels.gram import Gram
from monai_ethics.synthesis.methods.floor import Beside, Design, Statistic, beside, design, drawn_rows
from monai_ethics.synthesis.methods.jackknife import Jackknifed

__all__ = ["EVERYWHERE", "SetComparison", "estimate_of", "estimates_of", "mostly_equal"]

Bounds = tuple[float, float]
EVERYWHERE: Bounds = (-math.inf, math.inf)
POOLED = 5000  # rows whose inner products are kept at a time
NO_SPREAD = "All replicates are equal, so nothing can be read from their spread, as happens at the end of a scale."
UNDEFINED = "It is undefined in some comparison or replicate: too few images, features or different images for it."


@dataclass(frozen=True, kw_only=True)
class SetComparison:
    """How synthetic and held-out images are compared; the base of the checks of whole sets.

    Args:
        size: most images on each side of a comparison; part of the estimand.
        splits: splits of the held-out patients into disjoint halves.
        replicated: splits in each replicate of the jackknife.
        groups: groups of patients and units that are left out in turn.
        level: nominal coverage of the intervals.
        seed: seed of splits, groups and subsamples.
        device: where features are multiplied, such as ``"cuda"``.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    stage: ClassVar[Stage] = Stage.EVALUATION
    requirements: ClassVar[tuple[str, ...]]

    size: int = 250
    splits: int = 20
    replicated: int = 10
    groups: int = 20
    level: float = 0.95
    seed: int = 0
    device: str = "cpu"

    def drawn(self, sets: FeatureSets) -> Design:
        """The comparisons of these sets; raises `NotAssessableError` if they are too few."""
        return design(
            sets.units("holdout"),
            sets.units("synthetic"),
            size=self.size,
            splits=self.splits,
            groups=self.groups,
            seed=self.seed,
        )

    def used(self, sets: FeatureSets) -> FeatureSets:
        """At most 2,500 held-out and 2,500 synthetic images, drawn evenly over patients and units."""
        rng = np.random.default_rng(self.seed)
        rows = {role: drawn_rows(sets.units(role), most=POOLED // 2, rng=rng) for role in ("holdout", "synthetic")}
        return sets.taken(**rows)

    def beside(self, statistic: Statistic, drawn: Design) -> tuple[Beside, ...]:
        """Value, floor and excess of each number of a statistic."""
        return beside(statistic, drawn, replicated=self.replicated, level=self.level)

    def grams(self, used: FeatureSets) -> Iterator[tuple[str, dict[str, str], Gram]]:
        """Each space, the group of its estimates, and products of the held-out images with the synthetic ones below."""
        for space in used.spaces:
            pooled = np.concatenate([used.rows("holdout", space), used.rows("synthetic", space)])
            group = {"space": space} if len(used.spaces) > 1 else {}
            yield space, group, Gram(torch.as_tensor(pooled, dtype=torch.float64).to(self.device))

    def finding(self, sets: FeatureSets, used: FeatureSets | None = None, **kept: Any) -> Finding:
        """A finding of this check with what is the same in all of them; `not_assessable` where there is a reason."""
        return Finding(
            **question_of(self),
            subjects=sets.spaces,
            parameters={**asdict(self), **sets.facts()},
            accounting=_accounting(sets, used or sets),
            seed=self.seed,
            **{"verdict": Verdict.NOT_ASSESSABLE if "reason" in kept else Verdict.MEASURED, **kept},
        )


def estimates_of(
    name: str,
    found: Beside,
    drawn: Design,
    *,
    estimand: str,
    group: Mapping[str, str | None],
    paired: bool = True,
    bounds: Bounds = EVERYWHERE,
) -> list[Estimate]:
    """Value, floor and excess as estimates.

    Args:
        name: name of the value.
        found: the numbers.
        drawn: the comparisons they come from.
        estimand: what the statistic is, such as ``"Frechet distance"``.
        group: the space, if there are several.
        paired: whether the statistic compares two sets or describes one.
        bounds: smallest and largest value that the statistic can have.
    """
    sides = ("synthetic", "real images of other patients") if paired else ("synthetic", "held-out images")
    against = " against held-out images" if paired else ""
    number = f"at {drawn.size} a side, one of each patient or unit; mean over {len(drawn.splits)} splits"
    rows = (
        ("", found.value, f"{estimand} of {sides[0]} images{against}, {number}"),
        ("_floor", found.floor, f"{estimand} of {sides[1]}{against}, {number}"),
        ("_excess", found.excess, f"{name} less {name}_floor, {number}"),
    )
    kept: dict[str, Any] = {"unit": "1", "n": drawn.patients + drawn.units, "n_unit": "patients and synthetic units"}
    return [
        _estimate(
            f"{name}{suffix}",
            one,
            estimand=text,
            group=group,
            bounds=EVERYWHERE if suffix == "_excess" else bounds,
            **kept,
        )
        for suffix, one, text in rows
    ]


def _estimate(name: str, found: Jackknifed | None, *, bounds: Bounds, **kept: Any) -> Estimate:
    if found is None:
        return Estimate(name=name, value=None, reason=UNDEFINED, **kept)
    return estimate_of(name, found, bounds=bounds, **kept)


def estimate_of(name: str, found: Jackknifed, *, bounds: Bounds = EVERYWHERE, **kept: Any) -> Estimate:
    """A jackknifed number as an estimate, its interval cut off at the ends of the scale."""
    if not found.error > 0:
        return Estimate(name=name, value=found.value, reason=NO_SPREAD, **kept)
    low, high = max(found.low, bounds[0]), min(found.high, bounds[1])
    method = found.method if (low, high) == (found.low, found.high) else f"{found.method}, cut off at the scale's end"
    return Estimate(name=name, value=found.value, low=low, high=high, level=found.level, method=method, **kept)


def mostly_equal(gram: Gram, real_rows: int) -> bool:
    """Whether most held-out images, the first `real_rows` rows, have the same features, so that nothing is near."""
    try:
        gram.bandwidths(np.arange(real_rows))
    except NotAssessableError:
        return True
    return False


def _accounting(given: FeatureSets, used: FeatureSets) -> dict[str, int]:
    """What became of every image; training images take no part in the comparison."""
    counts = {"train_images_not_compared": given.size("train")}
    for role in ("holdout", "synthetic"):
        counts[f"{role}_images_used"] = used.size(role)
        counts[f"{role}_images_beyond_those_drawn"] = given.size(role) - used.size(role)
    return counts
