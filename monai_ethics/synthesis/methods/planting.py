# SPDX-License-Identifier: Apache-2.0
"""How often the membership test would see copies of training images that were planted among the synthetic ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.methods.precedence import (
    critical_marginal,
    joint_p_value,
    precedence,
    precedence_p_values,
)

__all__ = ["MembershipTest", "copy_distances", "share_of_alarms"]

_TILE = 2**22  # float64 differences at a time


@dataclass(frozen=True, kw_only=True)
class MembershipTest:
    """The test that is tried, with all it holds fixed.

    Args:
        is_member: whether each patient is a training patient, shape ``(P,)``.
        strata: within what labels move, length ``P``; ``None`` if among all.
        order_statistics: see `precedence`.
        permutations: where the exact formula does not apply.
        seed: of the permutations.
        significance: significance level.
    """

    is_member: np.ndarray
    strata: Sequence[str] | None
    order_statistics: tuple[int, ...]
    permutations: int
    seed: int
    significance: float

    def p_value(self, values: np.ndarray) -> float:
        """P-value of distances of shape ``(P, spaces)``."""
        return precedence(
            values,
            self.is_member,
            strata=self.strata,
            order_statistics=self.order_statistics,
            permutations=self.permutations,
            seed=self.seed,
        ).p_value

    def limit(self, values: np.ndarray) -> float | None:
        """Critical smallest marginal p-value for such distances; ``None`` if the p-value is exact without it."""
        if self.strata is None and values.shape[1] == 1:
            return None
        return critical_marginal(
            values,
            self.is_member,
            significance=self.significance,
            strata=self.strata,
            order_statistics=self.order_statistics,
            permutations=self.permutations,
            seed=self.seed,
        )

    def alarms(self, values: np.ndarray, limit: float | None) -> bool:
        """Whether distances of shape ``(P, spaces)`` raise an alarm, by `limit` where labels have to be permuted."""
        members, others = values[self.is_member], np.sort(values[~self.is_member], axis=0)
        sizes = len(members), len(others)
        orders = tuple(sorted({order for order in self.order_statistics if 1 <= order <= sizes[1]}))
        counts = [tuple((members < others[order - 1]).sum(axis=0).tolist()) for order in orders]
        smallest = min(
            float(_table(*sizes, order)[list(of_space)].min()) for order, of_space in zip(orders, counts, strict=True)
        )
        return (
            _joint(*sizes, orders, smallest) <= self.significance if limit is None else smallest <= limit * (1 + 1e-9)
        )


@lru_cache(maxsize=4096)
def _joint(members: int, others: int, orders: tuple[int, ...], smallest: float) -> float:
    return joint_p_value(members, others, orders=orders, smallest=smallest)


@lru_cache(maxsize=64)
def _table(members: int, others: int, order: int) -> np.ndarray:
    return precedence_p_values(members, others, order=order)


def copy_distances(sets: FeatureSets, copies: np.ndarray, space: str, patients: Sequence[str]) -> np.ndarray:
    """Distance of each patient's nearest image to each copy, treated as a synthetic image is.

    Args:
        sets: features.
        copies: shape ``(M, 1 + views, d)``.
        space: the space.
        patients: patients with training or held-out images.

    Returns:
        Shape ``(patients, M)``, float64; a copy of an image has distance exactly 0.
    """
    row = {patient: i for i, patient in enumerate(patients)}
    owners = np.array([row[patient] for patient in [*sets.train_patients, *sets.holdout_patients]], dtype=np.int64)
    seen = [sets.views(role, space) for role in ("train", "holdout")]
    if copies.shape[1] > 1 or len({views.shape[1] for views in seen}) > 1:
        seen = [views[:, :1] for views in seen]
    queries = np.concatenate(seen)
    flat = torch.as_tensor(copies.reshape(-1, copies.shape[2])).double()
    nearest = np.full((len(patients), len(copies)), np.inf)
    step = max(1, _TILE // max(1, len(flat) * queries.shape[1]))
    for start in range(0, len(queries), step):
        block = torch.as_tensor(queries[start : start + step]).double().flatten(0, 1)
        distance = torch.cdist(block, flat, compute_mode="donot_use_mm_for_euclid_dist")
        of_image = distance.reshape(-1, queries.shape[1], len(copies), copies.shape[1]).amin(dim=(1, 3)).numpy()
        np.minimum.at(nearest, owners[start : start + step], of_image)
    return nearest


def share_of_alarms(
    test: MembershipTest,
    values: np.ndarray,
    distances: np.ndarray,
    owners: Sequence[str],
    *,
    copied: int,
    repetitions: int,
    seed: int,
) -> int:
    """Repetitions with an alarm after one image of each of `copied` random patients was planted.

    Where labels have to be permuted, the critical value is found once, from the first choice of patients: it depends
    on how the spaces rank patients together, which the choice changes little.

    Args:
        test: the test.
        values: distances of patients to the synthetic images as they are, shape ``(P, spaces)``.
        distances: distances of patients to each copy, shape ``(P, M, spaces)``.
        owners: training patient of each copy, length ``M``.
        copied: patients of whom one image is planted; at most the number of owners.
        repetitions: random choices of them.
        seed: of the choices.
    """
    rng, alarms, limit = np.random.default_rng(seed), 0, None
    names = sorted(set(owners))
    of_patient = [np.flatnonzero(np.array(owners) == name) for name in names]
    for repetition in range(repetitions):
        chosen = rng.choice(len(names), size=copied, replace=False)
        images = [int(rng.choice(of_patient[patient])) for patient in chosen]
        planted = np.minimum(values, distances[:, images].min(axis=1))
        limit = test.limit(planted) if repetition == 0 else limit
        alarms += test.alarms(planted, limit)
    return alarms
