# SPDX-License-Identifier: Apache-2.0
"""A limit with its source on `smallest_parity_margin` is an equivalence test of every pair of groups."""

import numpy as np
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.score_gap import ScoreGap
from monai_ethics.lifecycle.policy import apply_policy, gate, read_policy
from monai_ethics.statistics.differences import mean_difference

TEXT = """schema_version: "1"
title: Parity
limits:
  - check: fairness.score_gap
    estimate: smallest_parity_margin
    at_most: {margin}
    subject: mean_dice
    source: {{title: Consensus of the board, locator: item 3}}
"""


@pytest.fixture
def policy(tmp_path):
    def make(margin):
        path = tmp_path / "policy.yaml"
        path.write_text(TEXT.format(margin=margin))
        return read_policy(path)

    return make


def finding(groups, *, patients=None):
    values = np.concatenate(groups)
    keys = tuple(f"c{i:04d}" for i in range(len(values)))
    table = ScoreTable(
        metric="mean_dice",
        unit="1",
        higher_is_better=True,
        cases=keys,
        patients=patients or keys,
        values=tuple(float(value) for value in values),
        outcomes=("scored",) * len(keys),
        groups={"site": tuple("ABC"[g] for g, group in enumerate(groups) for _ in group)},
        bounds=(0, 1),
    )
    return ScoreGap(n_permutations=99)(table)


@pytest.fixture
def three():
    rng = np.random.default_rng(0)
    return [rng.uniform(0.7, 0.9, 60), rng.uniform(0.7, 0.9, 60), rng.uniform(0.68, 0.88, 60)]


def test_the_limit_passes_exactly_from_the_end_of_the_widest_90_percent_interval_on(three, policy):
    found = finding(three)
    pairs = [mean_difference(three[i], three[j], level=0.9)[0] for i, j in ((0, 1), (0, 2), (1, 2))]
    margin = max(max(abs(pair.low), abs(pair.high)) for pair in pairs)
    (passed,) = apply_policy([found], policy(margin + 1e-9))
    (failed,) = apply_policy([found], policy(margin - 1e-9))
    assert (passed.verdict, failed.verdict) == (Verdict.PASSED, Verdict.FAILED)
    assert passed.limit.source.title == "Consensus of the board"
    assert gate([found], policy(0.1)).passed
    assert not gate([found], policy(0.01)).passed


def test_a_gap_that_is_not_shown_does_not_pass_as_parity(policy):
    rng = np.random.default_rng(1)
    few = finding([rng.uniform(0.5, 1, 10), rng.uniform(0.5, 1, 10)])
    assert next(item.value for item in few.estimates if item.name == "p_adjusted") > 0.05
    assert not gate([few], policy(0.05)).passed


def test_every_pair_must_pass(three, policy):
    assert gate([finding(three[:2])], policy(0.05)).passed
    assert not gate([finding([*three[:2], three[2] - 0.2])], policy(0.05)).passed


@pytest.mark.parametrize("groups", [[np.full(20, 0.8), np.full(20, 0.8)], [np.full(20, 0.8), np.full(5, 0.8)]])
def test_a_margin_that_is_undefined_refuses(groups, policy):
    (judged,) = apply_policy([finding(groups)], policy(0.5))
    assert judged.verdict is Verdict.NOT_ASSESSABLE
    assert judged.reason
    assert not gate([finding(groups)], policy(0.5)).passed
