# SPDX-License-Identifier: Apache-2.0
"""Delete-group jackknife: intervals of set-level statistics without ever drawing a row twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from monai_ethics.errors import InputError

__all__ = ["FEWEST_GROUPS", "Jackknifed", "balanced_groups", "jackknife"]

FEWEST_GROUPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Jackknifed:
    """A statistic with its jackknife interval.

    Args:
        value: the statistic, bias-corrected if `corrected`.
        error: standard error.
        low: lower end of the interval.
        high: upper end of the interval.
        level: nominal coverage.
        groups: groups left out in turn.
        corrected: whether the bias of order 1/N was taken off.
    """

    value: float
    error: float
    low: float
    high: float
    level: float
    groups: int
    corrected: bool

    @property
    def method(self) -> str:
        """How the interval was computed, in words."""
        done = ", bias of order 1/N taken off" if self.corrected else ", value not corrected"
        return f"delete-group jackknife, {self.groups} groups, t with {self.groups - 1} degrees of freedom{done}"


def balanced_groups(units: int, groups: int, *, rng: np.random.Generator) -> np.ndarray:
    """A random group of each unit, shape ``(units,)``, int64; sizes differ by at most one.

    Args:
        units: how many units, such as patients, are grouped.
        groups: how many groups.
        rng: source of the order.
    """
    return rng.permutation(np.arange(units, dtype=np.int64) % max(1, groups))


def jackknife(
    value: float,
    replicates: Sequence[float] | np.ndarray,
    *,
    shares: Sequence[float] | np.ndarray | None = None,
    correct_bias: bool = False,
    level: float = 0.95,
) -> Jackknifed:
    r"""Interval of a statistic from its values without each group in turn.

    .. math:: \tau_g = h_g \theta - (h_g - 1) \theta_{-g}, \quad h_g = 1 / \mathrm{share}_g, \qquad
        \mathrm{se}^2 = \frac{1}{G} \sum_g \frac{(\tau_g - \bar\tau)^2}{h_g - 1}

    Correction of the bias is right for a statistic whose bias is of order 1/N with more rows than dimensions by far;
    elsewhere it is worse than none, and the value is one at this N.

    Args:
        value: the statistic of all units; of the corrected value only.
        replicates: the statistic without each group, shape ``(G,)``.
        shares: share of the units in each group; by default ``1 / G``.
        correct_bias: whether to take off the bias of order 1/N.
        level: nominal coverage.

    Raises:
        InputError: if there are fewer than 5 groups or a number is not finite.

    References:
        Busing, Meijer and van der Leeden, Delete-m jackknife for unequal m, Statistics and Computing 9 (1999), eq. 3-5.

    Example:
        >>> rows = np.arange(10.0)
        >>> round(jackknife(4.5, [np.delete(rows, i).mean() for i in range(10)]).error, 4)
        0.9574
    """
    left = np.asarray(replicates, dtype=np.float64)
    groups = len(left)
    if groups < FEWEST_GROUPS or not np.isfinite(value) or not np.isfinite(left).all():
        raise InputError(
            f"A jackknife needs {FEWEST_GROUPS} groups or more and finite numbers: got {groups} groups. Add units."
        )
    times = np.full(groups, float(groups)) if shares is None else 1.0 / np.asarray(shares, dtype=np.float64)
    # deviations are taken around the mean of the replicates: what all of them share, such as the bias of fewer rows,
    # is no spread
    pseudo = -(times - 1) * (left - left.mean())
    pseudo = pseudo - pseudo.mean()
    error = float(np.sqrt(np.mean(pseudo**2 / (times - 1))))
    center = float(groups * value - np.sum((1 - 1 / times) * left)) if correct_bias else float(value)
    reach = error * float(student.ppf((1 + level) / 2, groups - 1))
    return Jackknifed(
        value=center,
        error=error,
        low=center - reach,
        high=center + reach,
        level=level,
        groups=groups,
        corrected=correct_bias,
    )
