# SPDX-License-Identifier: Apache-2.0
"""The equivalence test behind `smallest_parity_margin`: how often it passes at the margin, and without a gap."""

import numpy as np
import pytest
from scipy import stats

from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.score_gap import ScoreGap

pytestmark = pytest.mark.slow
SETS, MARGIN, SD = 1000, 0.08, 0.12
CHECK = ScoreGap(n_permutations=9)  # the margin does not depend on the draws


def margin(groups):
    values = np.concatenate(groups)
    keys = tuple(map(str, range(len(values))))
    table = ScoreTable(
        metric="score",
        unit="1",
        higher_is_better=True,
        cases=keys,
        patients=keys,
        values=tuple(values.tolist()),
        outcomes=("scored",) * len(keys),
        groups={"g": tuple(str(g) for g, group in enumerate(groups) for _ in group)},
    )
    return next(item.value for item in CHECK(table).estimates if item.name == "smallest_parity_margin")


def passes(shifts, sizes, sds, seed):
    rng = np.random.default_rng(seed)
    return sum(
        margin([rng.normal(shift, sd, n) for shift, n, sd in zip(shifts, sizes, sds, strict=True)]) <= MARGIN
        for _ in range(SETS)
    )


@pytest.mark.parametrize(
    ("shifts", "sizes", "sds"),
    [
        ((0, MARGIN), (60, 60), (SD, SD)),
        ((0, MARGIN), (20, 120), (SD, SD / 3)),
        ((0, 0, MARGIN), (80, 80, 80), (SD, SD, SD)),
        ((0, MARGIN / 2, MARGIN), (80, 80, 80), (SD, SD, SD)),
    ],
)
def test_groups_that_lie_a_margin_apart_pass_in_at_most_5_percent(shifts, sizes, sds):
    hits = passes(shifts, sizes, sds, seed=1)
    print(f"{len(sizes)} groups, one at the margin: {hits / SETS:.3f} pass")
    assert hits <= stats.binom.ppf(0.995, SETS, 0.05)
    assert len(sizes) > 2 or hits >= stats.binom.ppf(0.005, SETS, 0.05)


@pytest.mark.parametrize(("count", "n", "least"), [(2, 60, 0.92), (3, 90, 0.92)])
def test_groups_without_a_gap_pass_when_they_are_large(count, n, least):
    share = passes([0] * count, [n] * count, [SD] * count, seed=2) / SETS
    print(f"{count} groups of {n} without a gap, margin {MARGIN / SD:.2f} deviations: {share:.3f} pass")
    assert share >= least


def test_groups_without_a_gap_rarely_pass_when_they_are_small():
    share = passes([0, 0], [15, 15], [SD, SD], seed=3) / SETS
    print(f"two groups of 15 without a gap: {share:.3f} pass")
    assert share < 0.3
