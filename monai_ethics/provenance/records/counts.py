# SPDX-License-Identifier: Apache-2.0
"""Numbers that were counted in full, so that they have no interval."""

from __future__ import annotations

from monai_ethics.evidence import Estimate

__all__ = ["IN_LIST", "IN_LOGS", "counted"]

IN_LIST = "A complete count of this list, not a sample of a larger one."
IN_LOGS = "A complete count of the given logs, not a sample."


def counted(
    name: str, value: int, n: int, *, estimand: str, unit: str = "images", n_unit: str | None = None, why: str = IN_LIST
) -> Estimate:
    """A number that was counted in full.

    Args:
        name: of the estimate.
        value: how many.
        n: of how many.
        estimand: what is counted, in words.
        unit: of `value`.
        n_unit: of `n`; that of `value` by default.
        why: why there is no interval, `IN_LIST` or `IN_LOGS`.
    """
    return Estimate(name=name, value=value, unit=unit, n=n, n_unit=n_unit or unit, estimand=estimand, reason=why)
