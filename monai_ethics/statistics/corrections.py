# SPDX-License-Identifier: Apache-2.0
"""Adjusted p-values for several tests at once.

References:
    [1] Holm 1979, Scand. J. Stat. 6: chance of any false alarm, whatever the tests share.
    [2] Benjamini & Hochberg 1995, JRSS-B 57: share of false alarms among the alarms.
    [3] Westfall & Young 1993, Resampling-Based Multiple Testing, algorithm 2.8: step-down max-T; with studentised
        statistics Chung & Romano 2016, J. Stat. Plan. Inference 168.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.statistics.intervals import Floats
from monai_ethics.statistics.permutation import share_at_least

__all__ = ["CORRECTIONS", "adjust", "benjamini_hochberg", "check_correction", "correction_text", "holm", "max_t"]

CORRECTIONS = ("holm", "max_t", "bh")
_NAMES = {
    "holm": "Holm",
    "max_t": "max-T (Westfall-Young, step-down, the same draws for all)",
    "bh": "Benjamini-Hochberg (share of false alarms among alarms, not the chance of any)",
}


def check_correction(correction: str, known: Sequence[str] = CORRECTIONS) -> str:
    """The correction, if it is a known one.

    Raises:
        InputError: if it is not.
    """
    if correction not in known:
        raise InputError(f"A correction must be one of {', '.join(known)}: got another. Choose one of them.")
    return correction


def correction_text(correction: str) -> str:
    """The correction's name as it is printed."""
    return _NAMES[correction]


def adjust(p_values: Sequence[float], correction: str) -> list[float]:
    """Adjusted p-values by a correction that needs nothing but p-values.

    Args:
        p_values: of the tests, length ``m``.
        correction: ``"holm"`` or ``"bh"``.

    Returns:
        Adjusted p-values, in the order given.

    Raises:
        InputError: if the correction is another.
    """
    check_correction(correction, ("holm", "bh"))
    return holm(p_values) if correction == "holm" else benjamini_hochberg(p_values)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given [1]."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for step, index in enumerate(sorted(range(len(p_values)), key=lambda i: (p_values[i], i))):
        highest = max(highest, min((len(p_values) - step) * p_values[index], 1.0))
        adjusted[index] = highest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p-values, in the order given [2]."""
    count = len(p_values)
    adjusted = [1.0] * count
    lowest = 1.0
    order = sorted(range(count), key=lambda i: (p_values[i], i))
    for rank in range(count, 0, -1):
        index = order[rank - 1]
        lowest = min(lowest, p_values[index] * count / rank)
        adjusted[index] = lowest
    return adjusted


def max_t(statistics: Floats) -> list[float]:
    """Step-down max-T adjusted p-values [3].

    Args:
        statistics: one column per test, larger = further from no difference, shape ``(1 + draws, m)``; the first row
            is observed, each other row comes from one draw that all tests share.

    Returns:
        Adjusted p-values, length ``m``.
    """
    observed, null = statistics[0], statistics[1:]
    order = sorted(range(len(observed)), key=lambda i: (-float(observed[i]), i))
    # the largest of those that are not yet decided, from the last to the first
    maxima = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    adjusted = [0.0] * len(observed)
    highest = 0.0
    for step, index in enumerate(order):
        highest = max(highest, share_at_least(maxima[:, step], float(observed[index])))
        adjusted[index] = highest
    return adjusted
