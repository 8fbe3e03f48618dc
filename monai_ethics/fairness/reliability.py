# SPDX-License-Identifier: Apache-2.0
"""The reliability curve of a group: observed shares over bins that no single patient can be read from.

References:
    [1] Wilson 1927; Rao & Scott 1992, Biometrics 48: the band of each bin.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from monai_ethics.evidence import Curve
from monai_ethics.fairness.data.probabilities import Forecasts
from monai_ethics.statistics.calibration import Codes, bin_of
from monai_ethics.statistics.intervals import Floats, clustered_rate

__all__ = ["FEWEST_IN_BIN", "merged_bins", "reliability"]

FEWEST_IN_BIN = 5  # patients


def merged_bins(codes: Codes, patients: tuple[str, ...], fewest: int = FEWEST_IN_BIN) -> list[Codes]:
    """Neighboring bins put together until each holds enough patients.

    Args:
        codes: bin of each case, ascending, shape ``(N,)``.
        patients: patient of each case, length ``N``.
        fewest: different patients that a bin needs.

    Returns:
        Positions of the cases of each bin; none if all patients together are too few.
    """
    found: list[list[int]] = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code).tolist()
        if found and len({patients[i] for i in found[-1]}) < fewest:
            found[-1] += rows
        else:
            found.append(rows)
    if len(found) > 1 and len({patients[i] for i in found[-1]}) < fewest:
        last = found.pop()
        found[-1] += last
    return [np.array(rows, dtype=np.int64) for rows in found if len({patients[i] for i in rows}) >= fewest]


def reliability(group: Forecasts, edges: Floats, label: Mapping[str, str | None], *, level: float) -> list[Curve]:
    """Observed share over mean probability in common bins of equal mass, merged where a group has few patients.

    Args:
        group: its cases, ascending by probability.
        edges: common edges, from 0 to 1.
        label: attribute to label; empty is everyone.
        level: nominal coverage of the band at each bin.

    Returns:
        One curve, or none if the group has too few patients for a bin.
    """
    bins = merged_bins(bin_of(group.p, edges), group.patients)
    if not bins:
        return []
    rates = [
        clustered_rate([bool(y) for y in group.y[rows]], [group.patients[i] for i in rows], level=level)
        for rows in bins
    ]
    return [
        Curve(
            name="reliability",
            x_name="mean predicted probability in bin",
            y_name="observed share of positives in bin",
            x=[float(np.mean(group.p[rows])) for rows in bins],
            y=[rate.value for rate in rates],
            low=[rate.low for rate in rates],
            high=[rate.high for rate in rates],
            level=level,
            n=len(group.names),
            n_unit="patients",
            method=f"{len(bins)} bins of equal mass with common edges, merged until each holds {FEWEST_IN_BIN} "
            "patients; Wilson intervals, at the Rao-Scott effective number of cases where patients repeat",
            group=label,
        )
    ]
