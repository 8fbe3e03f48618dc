# SPDX-License-Identifier: Apache-2.0
"""A share of synthetic images beside the same share of held-out images: what it is where nothing was copied."""

from __future__ import annotations

from typing import Any

import numpy as np

from monai_ethics.evidence import Estimate
from monai_ethics.statistics.differences import mover
from monai_ethics.statistics.intervals import Result, clustered_rate
from monai_ethics.synthesis.data.feature_sets import FeatureSets

__all__ = ["beside_holdout"]

LEVEL = 0.95


def beside_holdout(
    sets: FeatureSets, name: str, hits: tuple[np.ndarray, np.ndarray] | None, *, estimand: str, reason: str = ""
) -> list[Estimate]:
    """Share of synthetic images, share of held-out images (``_floor``) and their difference (``_excess``).

    Intervals are for these training images and hold them, and any threshold, fixed; images of one unit count as one
    cluster.

    Args:
        sets: features.
        name: name of the estimate.
        hits: which synthetic and which held-out images count; ``None`` if that is not defined.
        estimand: what the share is of.
        reason: why it is not defined.
    """
    sizes = {"": sets.size("synthetic"), "_floor": sets.size("holdout")}
    of = {"": f"{estimand}, of synthetic images", "_floor": f"{estimand}, of held-out images in their place"}
    kept: dict[str, Any] = {"unit": "1", "n_unit": "images"}
    if hits is None:
        return [
            Estimate(name=name + end, value=None, n=sizes[end], estimand=of[end], reason=reason, **kept)
            for end in sizes
        ]
    made, real = (
        clustered_rate(part.tolist(), sets.units(role), level=LEVEL)
        for part, role in zip(hits, ("synthetic", "holdout"), strict=True)
    )
    excess = _difference(made, real)
    total = sum(sizes.values())
    difference = f"{estimand}, synthetic less held-out images"
    return [
        Estimate(name=name, **made.stated(LEVEL), n=sizes[""], estimand=of[""], **kept),
        Estimate(name=f"{name}_floor", **real.stated(LEVEL), n=sizes["_floor"], estimand=of["_floor"], **kept),
        Estimate(name=f"{name}_excess", **excess.stated(LEVEL), n=total, estimand=difference, **kept),
    ]


def _difference(made: Result, real: Result) -> Result:
    """Difference of two rates with the interval of Newcombe (1998), method 10."""
    if made.value is None or real.value is None:
        return Result(value=None, reason="one of the shares is not defined")
    value = made.value - real.value
    if made.low is None or made.high is None or real.low is None or real.high is None:
        return Result(value=value, reason="one of the shares has no interval")
    low, high = mover((made.value, real.value), (made.low, made.high), (real.low, real.high))
    return Result(value=value, low=low, high=high, method="Newcombe, from the intervals of both shares")
