# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.synthesis.methods.jackknife import balanced_groups, jackknife


def without_each(rows, groups, statistic):
    return [statistic(rows[groups != group]) for group in range(groups.max() + 1)]


def test_the_error_of_a_mean_left_out_one_by_one_is_the_textbook_one():
    rows = np.random.default_rng(0).standard_normal(30)
    found = jackknife(rows.mean(), without_each(rows, np.arange(30), np.mean))
    assert found.error == pytest.approx(rows.std(ddof=1) / np.sqrt(30), rel=1e-12)
    assert found.value == rows.mean()
    assert found.low < found.value < found.high


def test_the_corrected_variance_is_the_unbiased_one():
    rows = np.random.default_rng(1).standard_normal(40)
    found = jackknife(rows.var(), without_each(rows, np.arange(40), np.var), correct_bias=True)
    assert found.value == pytest.approx(rows.var(ddof=1), rel=1e-12)
    assert "bias of order 1/N taken off" in found.method


def test_groups_of_unequal_size_correct_the_bias_on_average():
    rng = np.random.default_rng(2)
    errors = []
    for _ in range(200):
        rows = rng.standard_normal(53)
        groups = balanced_groups(53, 20, rng=rng)
        found = jackknife(
            rows.var(), without_each(rows, groups, np.var), shares=np.bincount(groups) / 53, correct_bias=True
        )
        errors.append(found.value - rows.var(ddof=1))
    assert abs(np.mean(errors)) < 0.1 / 53  # a tenth of what there is to correct


def test_groups_differ_by_one_at_most_and_hold_everyone():
    sizes = np.bincount(balanced_groups(53, 20, rng=np.random.default_rng(0)))
    assert sizes.sum() == 53
    assert sizes.max() - sizes.min() == 1


@pytest.mark.parametrize(("value", "replicates"), [(0.0, [1.0] * 4), (np.nan, [1.0] * 20), (0.0, [np.inf] * 20)])
def test_too_few_groups_or_undefined_numbers_are_refused(value, replicates):
    with pytest.raises(InputError, match="finite numbers"):
        jackknife(value, replicates)
