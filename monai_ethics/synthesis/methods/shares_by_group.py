# SPDX-License-Identifier: Apache-2.0
"""Whether a share differs between groups of images, with what else decides it held fixed.

Labels are exchanged among the units of one stratum, such as those of which the same was requested, so that groups that
were asked for other things are not taken for groups that were served otherwise; and only among units of as many images,
as the hits of large units vary more than those of small ones. The statistic is the sum of squared
deviations of each group's hits from what its strata give, in units of its hypergeometric spread.

References:
    Cochran-Mantel-Haenszel, by permutation: Agresti, Categorical Data Analysis (2013), section 8.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from monai_ethics.statistics.labelings import blocks_of, labelings

__all__ = ["StratifiedTest", "UnitTable", "stratified_test", "unit_table"]

_AT_A_TIME = 2**21  # labels


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTable:
    """Images gathered by unit, each array of shape ``(units,)``.

    Args:
        hits: images of the unit that are right.
        images: images of the unit.
        group: index of its label.
        stratum: index of its stratum.
    """

    hits: np.ndarray
    images: np.ndarray
    group: np.ndarray
    stratum: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class StratifiedTest:
    """Result of `stratified_test`.

    Args:
        p_value: share of labelings at least as far from equal, the observed one among them.
        null_gaps: largest minus smallest share of a group under exchanged labels, shape ``(draws,)``.
        compared: whether any label of each group can be exchanged with another group's, shape ``(groups,)``.
        log_labelings: natural logarithm of the number of different labelings.
    """

    p_value: float
    null_gaps: np.ndarray
    compared: np.ndarray
    log_labelings: float


def unit_table(
    right: Sequence[bool], units: Sequence[str], groups: Sequence[int], strata: Sequence[str]
) -> UnitTable | None:
    """Gather images by unit; ``None`` if a unit lies in several groups or strata, which then cannot be exchanged.

    Args:
        right: whether each image is right.
        units: unit of each image.
        groups: index of the label of each image.
        strata: stratum of each image.
    """
    _, codes = np.unique(np.asarray(units, dtype=object).astype(str), return_inverse=True)
    _, stratum = np.unique(np.asarray(strata, dtype=object).astype(str), return_inverse=True)
    group = np.asarray(groups, dtype=np.int64)
    if len({*zip(codes.tolist(), group.tolist(), stratum.tolist(), strict=True)}) > len(set(codes.tolist())):
        return None
    first = np.unique(codes, return_index=True)[1]
    return UnitTable(
        hits=np.bincount(codes, weights=np.asarray(right, dtype=np.float64)),
        images=np.bincount(codes).astype(np.float64),
        group=group[first],
        stratum=stratum[first],
    )


def stratified_test(table: UnitTable, *, permutations: int, seed: int) -> StratifiedTest:
    """Exchange labels of units of as many images within strata.

    Args:
        table: units of 2 groups or more.
        permutations: random labelings.
        seed: their seed.
    """
    # an order that depends on content only, so that the order of images does not matter
    order = np.lexsort((table.group, table.images, table.hits, table.stratum))
    hits, images, group, stratum = (getattr(table, name)[order] for name in ("hits", "images", "group", "stratum"))
    stratum = np.unique(np.stack([stratum, images]), axis=1, return_inverse=True)[1].reshape(-1)
    count, blocks = int(group.max()) + 1, blocks_of(stratum)
    residual = hits - _expected_share(hits, images, stratum) * images
    spread = _spread(residual, group, blocks, count)
    sizes = np.stack([np.bincount(group[block], minlength=count) for block in blocks])
    compared = ((sizes > 0) & ((sizes > 0).sum(axis=1, keepdims=True) > 1)).any(axis=0)
    different = float(gammaln(sizes.sum(axis=1) + 1).sum() - gammaln(sizes + 1).sum())
    observed, _ = _statistics(group[None], residual, hits, images, spread)
    reached, gaps = 1, []
    rng, at_once = np.random.default_rng(seed), max(1, _AT_A_TIME // len(group))
    for labels in labelings(group, blocks, draws=permutations, at_once=at_once, rng=rng):
        values, gap = _statistics(labels, residual, hits, images, spread)
        reached += int((values >= observed[0] * (1 - 1e-9)).sum())
        gaps.append(gap)
    return StratifiedTest(
        p_value=reached / (permutations + 1),
        null_gaps=np.concatenate(gaps),
        compared=compared,
        log_labelings=different,
    )


def _expected_share(hits: np.ndarray, images: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.bincount(stratum, weights=hits) / np.bincount(stratum, weights=images)
    return np.asarray(shares[stratum])


def _spread(residual: np.ndarray, group: np.ndarray, blocks: list[np.ndarray], count: int) -> np.ndarray:
    """Variance of each group's sum of residuals under exchange, shape ``(groups,)``."""
    variance = np.zeros(count)
    for block in blocks:
        n = len(block)
        if n < 2:
            continue
        size = np.bincount(group[block], minlength=count)
        variance += size * (n - size) / n * float(np.var(residual[block], ddof=1))
    return variance


def _statistics(
    labels: np.ndarray, residual: np.ndarray, hits: np.ndarray, images: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Statistic and gap of shares of labelings of shape ``(B, units)``."""
    statistic = np.zeros(len(labels))
    shares = np.empty((len(labels), len(spread)))
    for value in range(len(spread)):
        member = labels == value
        if spread[value] > 0:
            statistic += np.square(member @ residual) / spread[value]
        shares[:, value] = (member @ hits) / np.maximum(member @ images, 1e-300)
    gap: np.ndarray = shares.max(axis=1) - shares.min(axis=1)
    return statistic, gap
