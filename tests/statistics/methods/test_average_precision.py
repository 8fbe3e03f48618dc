# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.statistics.average_precision import average_precision, precision_parts


def drawn(n=120, decimals=1):
    rng = np.random.default_rng(0)
    truth = rng.random(n) < 0.4
    return np.round(rng.normal(size=n) + truth, decimals), truth


def test_precision_is_averaged_over_positive_cases():
    scores, truth = np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False])
    assert precision_parts(scores, truth)[0] == pytest.approx((1 + 2 / 3) / 2, abs=1e-15)
    assert precision_parts(np.zeros(4), truth)[0] == 0.5  # all enter together


def test_parts_are_derivatives_by_the_weights_of_cases():
    scores, truth = drawn()
    value, parts = precision_parts(scores, truth)
    assert parts.sum() == pytest.approx(0, abs=1e-12)
    for case in (0, 7, 50):  # a case that is there 1.001 times
        rows = np.concatenate([np.repeat(np.arange(120), 1000), [case]])
        moved = precision_parts(scores[rows], truth[rows])[0]
        assert (moved - value) * 1000 == pytest.approx(parts[case], abs=1e-4)


def test_the_interval_is_by_patient():
    scores, truth = drawn()
    alone = average_precision(scores, truth, np.arange(120))
    assert alone.low < alone.value < alone.high
    doubled = average_precision(np.tile(scores, 2), np.tile(truth, 2), np.tile(np.arange(120), 2))
    assert (doubled.value, doubled.low) == pytest.approx((alone.value, alone.low))


def test_what_is_not_sure_says_so():
    scores, truth = drawn()
    assert "not assured" not in average_precision(scores, truth, np.arange(120)).method
    few = np.flatnonzero(truth)[:6].tolist() + np.flatnonzero(~truth).tolist()
    assert (
        "coverage not assured below 10 patients"
        in average_precision(scores[few], truth[few], np.arange(len(few))).method
    )
    assert "absent" in average_precision(scores, np.zeros(120, dtype=bool), np.arange(120)).reason
    perfect = average_precision(truth.astype(float), truth, np.arange(120))
    assert (perfect.value, perfect.low) == (1, None)
    assert perfect.reason
