# SPDX-License-Identifier: Apache-2.0
"""How well a score tells members from others: area, permutation test, hits at few false alarms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from monai_ethics.statistics.labelings import blocks_of, labelings

__all__ = ["area", "hits_at", "permuted_areas"]

_AT_A_TIME = 2**22  # labels


def area(scores: np.ndarray, is_member: np.ndarray) -> float:
    """Chance that a member's score is above another's, ties counted half; scores of shape ``(N,)``."""
    members, others = int(is_member.sum()), int((~is_member).sum())
    ranks = rankdata(scores)
    return float((ranks[is_member].sum() - members * (members + 1) / 2) / (members * others))


def permuted_areas(
    scores: np.ndarray, is_member: np.ndarray, *, strata: Sequence[str] | None, permutations: int, seed: int
) -> np.ndarray:
    """Areas under labels permuted within strata.

    Args:
        scores: shape ``(N, attacks)``.
        is_member: shape ``(N,)``, bool.
        strata: stratum of each row.
        permutations: random labelings.
        seed: of the labelings; the order of rows matters, so sort them first.

    Returns:
        Shape ``(permutations, attacks)``.
    """
    ranks = np.stack([rankdata(column) for column in scores.T], axis=1)
    members, others = int(is_member.sum()), int((~is_member).sum())
    blocks = blocks_of(np.zeros(len(scores)) if strata is None else strata)
    rng, at_once = np.random.default_rng(seed), _AT_A_TIME // len(scores) + 1
    drawn = labelings(is_member, blocks, draws=permutations, at_once=at_once, rng=rng)
    return np.concatenate([(batch @ ranks - members * (members + 1) / 2) / (members * others) for batch in drawn])


def hits_at(scores: np.ndarray, is_member: np.ndarray, *, rate: float) -> int:
    """Members above the score that at most a share `rate` of the others exceeds; ties with it do not count."""
    others = np.sort(scores[~is_member])[::-1]
    allowed = int(np.floor(rate * len(others) + 1e-9))
    return int((scores[is_member] > others[allowed]).sum())
