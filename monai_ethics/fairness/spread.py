# SPDX-License-Identifier: Apache-2.0
"""Curves of patients' values: densities and quantiles, of everyone and of each group that is large enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monai_ethics.evidence import Curve
from monai_ethics.fairness.data.groups import Group
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.statistics.distribution import PROBABILITIES, density, grid, smooth_quantiles

__all__ = ["spread_curves"]

NO_BAND = "a description of these patients, smoothed so that no single value is shown: no band is computed"


def spread_curves(
    table: ScoreTable, groups: Sequence[tuple[Mapping[str, str | None], Group]], *, min_group_size: int
) -> list[Curve]:
    """Curves ``distribution`` and ``quantiles``.

    Args:
        table: the scores, for unit and bounds.
        groups: everyone first, as the empty name, then each group with its name.
        min_group_size: smallest group (patients with a score) that is drawn.

    Returns:
        Two curves for each group that is large enough; fewer where they are not defined.
    """
    large = [(name, group) for name, group in groups if len(group.patients) >= max(min_group_size, 2)]
    bounds = table.score_bounds  # a walk over all scores: once
    positions = grid(groups[0][1].values, bounds) if groups else None
    found = []
    for name, group in large:
        kept: dict[str, Any] = {"n": len(group.patients), "n_unit": "patients", "group": name, "reason": NO_BAND}
        if positions is not None:
            found += _density(table, group, positions, kept, bounds=bounds)
        quantiles = smooth_quantiles(group.values)
        if any(value is not None for value in quantiles):
            found.append(
                Curve(
                    name="quantiles",
                    x_name="share of patients below",
                    y_name=f"{table.metric}, {group.estimand}",
                    y_unit=table.unit,
                    x=PROBABILITIES,
                    y=_rounded(quantiles),
                    method="Harrell-Davis quantiles; none with fewer than 2 patients beyond",
                    **kept,
                )
            )
    return found


def _density(
    table: ScoreTable,
    group: Group,
    positions: Any,
    kept: Mapping[str, Any],
    *,
    bounds: tuple[float, float] | None,
) -> list[Curve]:
    heights = density(group.values, positions, bounds)
    if heights is None:
        return []
    lost = int((~np.isfinite(group.values)).sum())
    text = "Gaussian kernel, Silverman's bandwidth, reflected at known bounds"
    curve = Curve(
        name="distribution",
        x_name=f"{table.metric}, {group.estimand}",
        y_name="density over patients",
        x_unit=table.unit,
        x=_rounded(positions),
        y=_rounded(heights),
        method=f"{text}; {lost} patients whose miss has no value are not drawn" if lost else text,
        **kept,
    )
    return [curve]


def _rounded(values: Any) -> tuple[Any, ...]:
    """Six digits are enough to draw a line, and keep the log small."""
    return tuple(None if value is None else float(f"{value:.6g}") for value in values)
