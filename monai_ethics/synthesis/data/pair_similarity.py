# SPDX-License-Identifier: Apache-2.0
"""Similarity of pairs of images, computed where the images are: the features do not hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_ethics.errors import InputError

__all__ = ["PairSimilarity", "Pairing"]

Pairing = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class PairSimilarity:
    """How alike two synthetic images are, beside how alike two real images of different patients are.

    Pairs are stored in an order that depends on their content only.

    Args:
        synthetic: similarity of pairs of synthetic images, such as multi-scale SSIM; no unit.
        synthetic_pairs: the two units of each pair, as `FeatureSets.units("synthetic")` names them; two different ones.
        real: similarity of pairs of held-out real images.
        real_pairs: the two patients of each pair; two different ones.
        name: what was computed, as it stands in the estimates.

    Raises:
        InputError: if a number is not finite, lengths differ, or a pair is of one unit or patient.
    """

    synthetic: Sequence[float]
    synthetic_pairs: Pairing
    real: Sequence[float]
    real_pairs: Pairing
    name: str = "ms_ssim"

    def __post_init__(self) -> None:
        for role in ("synthetic", "real"):
            values, pairs = _ordered(getattr(self, role), getattr(self, f"{role}_pairs"), role)
            object.__setattr__(self, role, values)
            object.__setattr__(self, f"{role}_pairs", pairs)


def _ordered(
    values: Sequence[float], pairs: Pairing, role: str
) -> tuple[tuple[float, ...], tuple[tuple[str, str], ...]]:
    if len(values) != len(pairs) or not np.isfinite(np.asarray(values, dtype=np.float64)).all():
        raise InputError(
            f"Each {role} pair needs one finite similarity: got {len(values)} numbers for {len(pairs)} pairs. "
            "Give one for each."
        )
    named = [tuple(sorted(str(one) for one in pair)) for pair in pairs]
    if any(len(set(pair)) != 2 for pair in named):
        raise InputError(f"A {role} pair must be of two different units: got one unit twice. Pair different ones.")
    rows = sorted(zip(named, (float(value) for value in values), strict=True))
    return tuple(value for _, value in rows), tuple((pair[0], pair[1]) for pair, _ in rows)
