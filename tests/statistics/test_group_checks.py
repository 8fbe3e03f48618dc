# SPDX-License-Identifier: Apache-2.0
"""Groups of synthetic images: alarms where groups are served alike, and where one is not.

Run with ``python -m pytest tests/statistics/test_group_checks.py -m slow -s`` to see the figures.
"""

import numpy as np
import pytest
from scipy.stats import binom

from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.requests import Requests
from monai_ethics.synthesis.group_correctness import GroupCorrectness
from monai_ethics.synthesis.group_realism import GroupRealism

pytestmark = pytest.mark.slow
NULLS, LEVEL = 600, 0.05


def p_value(finding):
    return next(row.value for row in finding.estimates if row.name == "p_value")


def requests(rng, *, harmed, n=60):
    """Two groups; the second was asked for lesions four times as often, and lesions are harder for both."""
    rows = []
    for group, positive in (("A", 0.2), ("B", 0.8)):
        for unit in range(n):
            asked = "yes" if rng.random() < positive else "no"
            right = rng.random() < (0.6 if asked == "yes" else 0.95) - harmed * (group == "B")
            rows.append((asked, asked if right else "other", f"{group}{unit}", group))
    asked, seen, units, groups = zip(*rows, strict=True)
    return Requests(condition="lesion", judge="j", requested=asked, seen=seen, units=units, groups={"group": groups})


def sets(rng, *, shift=0.0, n=120):
    holdout, synthetic = rng.standard_normal((2, n, 6))
    group = [("A", "B")[i % 2] for i in range(n)]
    for part in (holdout, synthetic):
        part[1::2] *= 1.4  # the groups differ; how they are generated does not
    synthetic[1::2, 0] += shift
    return FeatureSets(
        train=holdout[:2],
        train_patients=["t0", "t1"],
        holdout=holdout,
        holdout_patients=[f"h{i}" for i in range(n)],
        synthetic=synthetic,
        holdout_attributes={"group": group},
        synthetic_attributes={"group": group},
    )


def test_correctness_holds_its_level_and_finds_a_harmed_group():
    check = GroupCorrectness(permutations=199)
    alarms = sum(p_value(check(requests(np.random.default_rng(i), harmed=0.0))) <= LEVEL for i in range(NULLS))
    found = sum(p_value(check(requests(np.random.default_rng(i), harmed=0.3))) <= LEVEL for i in range(200))
    print(f"\n| correctness, 60 images a group, unequal requests | alarms {alarms / NULLS:.3f}, {found / 200:.2f} |")
    assert binom.ppf(0.005, NULLS, LEVEL) <= alarms <= binom.ppf(0.995, NULLS, LEVEL)
    assert found / 200 >= 0.8


def test_realism_never_alarms_more_than_its_level_and_finds_a_shifted_group():
    check = GroupRealism(splits=1, replicated=1, groups=20)
    alarms = sum(p_value(check(sets(np.random.default_rng(i)))) <= LEVEL for i in range(NULLS))
    print(f"\n| realism, 60 patients a group | alarms {alarms / NULLS:.3f} |")
    found = {}
    for n, shift, runs in ((120, 1.0, 60), (120, 2.0, 60), (300, 1.0, 30), (300, 1.5, 30)):
        seen = sum(p_value(check(sets(np.random.default_rng(i), shift=shift, n=n))) <= LEVEL for i in range(runs))
        found[n, shift] = seen / runs
        print(f"| realism, {n // 2} patients a group, off by {shift} standard deviations | found {seen / runs:.2f} |")
    assert alarms <= binom.ppf(0.995, NULLS, LEVEL)
    assert found[120, 2.0] >= 0.8
    assert found[300, 1.5] >= 0.8
    assert found[120, 1.0] < 0.5, "what is not seen is said on the page of the check"
