# SPDX-License-Identifier: Apache-2.0
"""The precedence test: of two exchangeable sets, do too many of the first come before all of the second?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from scipy.special import gammaln
from scipy.stats import hypergeom

from monai_ethics.errors import InputError
from monai_ethics.statistics.labelings import blocks_of, labelings

__all__ = [
    "Precedence",
    "critical_marginal",
    "joint_p_value",
    "precedence",
    "precedence_p_values",
    "smallest_detectable",
]

_AT_A_TIME = 2**22  # labels
Ranking: TypeAlias = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedence:
    """Result of `precedence`.

    Args:
        p_value: one-sided, for all spaces and order statistics together.
        exact: whether it is exact; otherwise it counts permutations, the observed labels among them.
        counts: members that precede, shape ``(spaces, order statistics)``.
        marginal: p-value of each count on its own, of the same shape.
    """

    p_value: float
    exact: bool
    counts: np.ndarray
    marginal: np.ndarray


def precedence_p_values(members: int, others: int, *, order: int = 1) -> np.ndarray:
    r"""Chance that at least `m` members precede the `order`-th of the others, if all orders are equally likely.

    .. math:: P(M \ge m) = P(\mathrm{Hypergeometric}(T + H, T, m + r - 1) \ge m),
        \quad r = 1: \prod_{i<m} \frac{T - i}{T + H - i}

    Args:
        members: size ``T`` of the first set.
        others: size ``H`` of the second set.
        order: ``r``, which of the others is waited for, 1 for the first.

    Returns:
        One p-value for each ``m = 0 .. T``, shape ``(T + 1,)``, not increasing.

    Example:
        >>> precedence_p_values(2, 2).round(4).tolist()
        [1.0, 0.5, 0.1667]
    """
    return _table(members, others, order).copy()


@lru_cache(maxsize=32)
def _table(members: int, others: int, order: int) -> np.ndarray:
    """What `precedence_p_values` returns; not to be written to."""
    counts = np.arange(members + 1)
    drawn = np.minimum(counts + order - 1, members + others)
    chances: np.ndarray = np.minimum(hypergeom.sf(counts - 1, members + others, members, drawn), 1.0)
    return chances


def joint_p_value(members: int, others: int, *, orders: Sequence[int], smallest: float) -> float:
    r"""Chance that the smallest p-value over several order statistics is at most `smallest`, without permutations.

    With ``M_r`` members before the r-th other, the event is that some ``M_r`` exceeds the most ``b_r`` whose p-value
    is above `smallest`. Each sequence ``M_1 <= M_2 <= ...`` stands for equally many orders of both sets, so that the
    orders which first exceed at ``r`` can be counted one ``r`` after another.

    Args:
        members: size ``T`` of the first set.
        others: size ``H`` of the second set.
        orders: which of the others are waited for, each between 1 and ``H``.
        smallest: the smallest p-value that was seen.
    """
    bounds = {order: int((_table(members, others, order) > smallest * (1 + 1e-9)).sum()) - 1 for order in orders}
    before = np.arange(members + 1)
    ways, scale, chance = np.zeros(members + 1), 0.0, 0.0
    ways[0] = 1.0
    total = gammaln(members + others + 1) - gammaln(others + 1) - gammaln(members + 1)
    for order in range(1, max(bounds) + 1):
        ways = np.cumsum(ways)
        scale, ways = scale + float(np.log(ways[-1])), ways / ways[-1]
        if order in bounds:
            left = members - before, others - order
            rest = gammaln(left[0] + left[1] + 1) - gammaln(left[0] + 1) - gammaln(left[1] + 1)
            exceeds = before > bounds[order]
            chance += float((ways * np.exp(rest - total + scale))[exceeds].sum())
            ways[exceeds] = 0.0
            if not ways.any():
                break
    return min(chance, 1.0)


def smallest_detectable(members: int, others: int, *, significance: float, orders: Sequence[int] = (1,)) -> int | None:
    """Fewest members whose preceding all others is significant; ``None`` if even all of them do not suffice.

    Args:
        members: size of the first set.
        others: size of the second set.
        significance: significance level.
        orders: order statistics that are compared together; those beyond the number of others are left out.
    """
    compared = [order for order in orders if 1 <= order <= others]
    low, high = 0, members + 1
    while high - low > 1:  # more members never have a larger p-value
        middle = (low + high) // 2
        enough = bool(compared) and _preceding(members, others, middle, orders=compared) <= significance
        low, high = (low, middle) if enough else (middle, high)
    return high if high <= members else None


def _preceding(members: int, others: int, count: int, *, orders: Sequence[int]) -> float:
    """P-value if `count` members precede all others, and none between the others that are waited for."""
    marginal = (float(_table(members, others, order)[count]) for order in orders)
    return joint_p_value(members, others, orders=orders, smallest=min(marginal))


def precedence(
    values: np.ndarray,
    is_member: np.ndarray,
    *,
    strata: Sequence[str] | None = None,
    order_statistics: Sequence[int] = (1,),
    permutations: int = 9999,
    seed: int = 0,
) -> Precedence:
    """Whether members precede the others more often than chance, in any of several rankings.

    The smallest marginal p-value over rankings and order statistics is compared with its distribution under equally
    likely labelings (max-T): exactly with one ranking and no strata, otherwise by permuted labels, which move within
    their stratum. Tied members do not precede. The order of rows does not matter.

    Args:
        values: what is ranked, shape ``(N, spaces)``, finite, any unit; small comes first.
        is_member: labels, shape ``(N,)``, bool.
        strata: stratum of each row, length ``N``.
        order_statistics: which of the others are waited for; those beyond their number are left out.
        permutations: number of random labelings.
        seed: seed of the labelings.

    Raises:
        InputError: if there is no member or no other, or the shapes do not match.
    """
    labels, rankings, blocks, orders, tables = _arranged(values, is_member, strata, order_statistics)
    counts = np.stack([_counts(labels[None], ranking, orders)[0] for ranking in rankings])
    marginal = np.take_along_axis(tables, counts.T, axis=1).T
    if len(rankings) == 1 and strata is None:
        members = int(labels.sum())
        joint = joint_p_value(members, len(labels) - members, orders=orders, smallest=float(marginal.min()))
        return Precedence(p_value=joint, exact=True, counts=counts, marginal=marginal)
    null = _permuted(
        labels, rankings, blocks=blocks, orders=orders, tables=tables, permutations=permutations, seed=seed
    )
    reached = 1 + int((null <= marginal.min() * (1 + 1e-9)).sum())
    return Precedence(p_value=reached / (permutations + 1), exact=False, counts=counts, marginal=marginal)


def critical_marginal(
    values: np.ndarray,
    is_member: np.ndarray,
    *,
    significance: float,
    strata: Sequence[str] | None = None,
    order_statistics: Sequence[int] = (1,),
    permutations: int = 9999,
    seed: int = 0,
) -> float:
    """The largest smallest marginal p-value at which `precedence` by permutation is significant.

    Arguments are those of `precedence`. It is 0 if there is none.
    """
    labels, rankings, blocks, orders, tables = _arranged(values, is_member, strata, order_statistics)
    null = _permuted(
        labels, rankings, blocks=blocks, orders=orders, tables=tables, permutations=permutations, seed=seed
    )
    attained = np.unique(tables)
    reached = 1 + (null[None, :] <= attained[:, None] * (1 + 1e-9)).sum(axis=1)
    enough = attained[reached <= significance * (permutations + 1)]
    return float(enough.max()) if len(enough) else 0.0


def _permuted(
    labels: np.ndarray,
    rankings: Sequence[Ranking],
    *,
    blocks: list[np.ndarray],
    orders: Sequence[int],
    tables: np.ndarray,
    permutations: int,
    seed: int,
) -> np.ndarray:
    """Smallest marginal p-value of each random labeling, shape ``(permutations,)``."""
    rng, at_once = np.random.default_rng(seed), _AT_A_TIME // len(labels) + 1
    drawn = labelings(labels, blocks, draws=permutations, at_once=at_once, rng=rng)
    found = [_smallest(batch, rankings, orders=orders, tables=tables) for batch in drawn]
    return np.concatenate([np.zeros(0), *found])


def _arranged(
    values: np.ndarray, is_member: np.ndarray, strata: Sequence[str] | None, order_statistics: Sequence[int]
) -> tuple[np.ndarray, list[Ranking], list[np.ndarray], list[int], np.ndarray]:
    """Labels in an order that depends on content only, rankings, blocks of strata, order statistics, tables."""
    orders = _checked_orders(values, is_member, order_statistics)
    members, others = int(is_member.sum()), int((~is_member).sum())
    tables = np.stack([_table(members, others, order) for order in orders])
    within = np.zeros(len(values)) if strata is None else np.asarray(strata)
    canonical = np.lexsort((is_member, *values.T, within))
    rankings = [_ranking(column) for column in values[canonical].T]
    return is_member[canonical], rankings, blocks_of(within[canonical]), orders, tables


def _checked_orders(values: np.ndarray, is_member: np.ndarray, order_statistics: Sequence[int]) -> list[int]:
    members, others = int(is_member.sum()), int((~is_member).sum())
    orders = [order for order in sorted(set(order_statistics)) if 1 <= order <= others]
    if not members or not orders or values.shape[0] != len(is_member) or values.ndim != 2 or not values.shape[1]:
        raise InputError(
            f"The precedence test needs both sets and a value for each: got {members} and {others} and values of "
            f"shape {values.shape}. Give one row for each member and each other."
        )
    return orders


def _smallest(
    labels: np.ndarray, rankings: Sequence[Ranking], *, orders: Sequence[int], tables: np.ndarray
) -> np.ndarray:
    """Smallest marginal p-value of each labeling, labels of shape ``(B, N)``."""
    smallest = np.ones(len(labels))
    for ranking in rankings:
        p_values = np.take_along_axis(tables, _counts(labels, ranking, orders).T, axis=1)
        smallest = np.minimum(smallest, p_values.min(axis=0))
    return smallest


def _ranking(column: np.ndarray) -> Ranking:
    """Order of a column, and for each rank the first rank of its ties."""
    order = np.argsort(column, kind="stable")
    ranked = column[order]
    return order, np.searchsorted(ranked, ranked, side="left")


def _counts(labels: np.ndarray, ranking: Ranking, orders: Sequence[int]) -> np.ndarray:
    """Members strictly before the r-th other; labels of shape ``(B, N)`` give ``(B, orders)``."""
    order, tie_start = ranking
    others = np.cumsum(~labels[:, order], axis=1, dtype=np.int32)
    before = np.concatenate([np.zeros((len(labels), 1), dtype=np.int32), others], axis=1)
    counts = []
    for wanted in orders:
        start = tie_start[np.argmax(others >= wanted, axis=1)]
        counts.append(start - np.take_along_axis(before, start[:, None], axis=1)[:, 0])
    return np.stack(counts, axis=1)
