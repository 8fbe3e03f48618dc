# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import stats

from monai_ethics.statistics.auc import (
    area_between,
    area_difference,
    area_under_curve,
    areas_by_group,
    cross_areas,
)
from monai_ethics.statistics.placements import runs_of

TRUTH, SCORES = [1, 1, 1, 0, 0, 0, 0], [0.9, 0.6, 0.5, 0.5, 0.4, 0.7, 0.1]
KEYS = [str(i) for i in range(7)]


def test_the_area_is_the_share_of_pairs_in_order():
    pairs = [(p > q) + 0.5 * (p == q) for p in SCORES[:3] for q in SCORES[3:]]
    found = area_under_curve(TRUTH, SCORES, KEYS)
    assert found.value == pytest.approx(np.mean(pairs))
    assert 0 < found.low < found.value < found.high < 1


def quantile(positive, negative, patients):
    """Student's at Satterthwaite's degrees of freedom, from all pairs of cases; `patients` of both, in that order."""
    kernel = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    parts = []
    for means, people in ((kernel.mean(1), patients[: len(positive)]), (kernel.mean(0), patients[len(positive) :])):
        sums = np.array([(means[people == person] - kernel.mean()).sum() for person in np.unique(people)])
        parts.append((len(sums) / (len(sums) - 1) * (sums**2).sum() / len(means) ** 2, len(sums) - 1))
    degrees = sum(part for part, _ in parts) ** 2 / sum(part**2 / df for part, df in parts)
    people = len(np.unique(patients))
    return stats.t.ppf(0.975, min(degrees, people - 2) if people < len(patients) else degrees)


def test_delongs_variance_is_that_of_the_placements():
    positive, negative = np.array(SCORES[:3]), np.array(SCORES[3:])
    kernel = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = kernel.mean(1).var(ddof=1) / 3 + kernel.mean(0).var(ddof=1) / 4
    found = area_under_curve(TRUTH, SCORES, KEYS)
    area = kernel.mean()
    logit = np.log(area / (1 - area)) + quantile(positive, negative, np.array(KEYS)) * np.sqrt(variance) / (
        area * (1 - area)
    )
    assert found.high == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-9)


def test_few_positive_cases_make_an_area_less_sure_than_the_normal_quantile_says():
    rng = np.random.default_rng(0)
    truth = np.arange(105) < 5
    found = area_under_curve(truth, rng.normal(size=105) + truth, list(map(str, range(105))))
    assert 4 <= float(found.method.split("Student t, ")[1].split(" ")[0]) < 12
    even = area_under_curve(np.arange(200) < 100, rng.normal(size=200), list(map(str, range(200))))
    assert float(even.method.split("Student t, ")[1].split(" ")[0]) > 150


def test_an_area_of_one_has_newcombes_interval():
    found = area_under_curve([1] * 20 + [0] * 20, list(range(40, 0, -1)), [str(i) for i in range(40)])
    assert (found.value, found.high) == (1, 1)
    assert 0.85 < found.low < 0.95
    assert "Newcombe" in found.method
    turned = area_under_curve([0] * 20 + [1] * 20, list(range(40, 0, -1)), [str(i) for i in range(40)])
    assert (turned.value, turned.low) == (0, 0)


def test_one_class_or_one_patient_has_a_reason():
    assert "absent" in area_under_curve([1, 1], [1, 2], ["a", "b"]).reason
    assert "fewer than 2 patients" in area_under_curve([1, 1, 0, 0], [1, 3, 2, 0], ["a", "a", "b", "c"]).reason


def drawn(n=400, *, groups=5, decimals=1, patients=None):
    rng = np.random.default_rng(0)
    truth = rng.random(n) < 0.3
    scores = np.round(rng.normal(size=n) + truth, decimals)
    people = np.arange(n) if patients is None else rng.integers(0, patients, n)
    return rng.integers(0, groups, n), truth, scores, people


@pytest.mark.parametrize("patients", [None, 120])
@pytest.mark.parametrize("decimals", [1, 9])
def test_one_sort_gives_the_areas_and_intervals_of_each_group_alone(patients, decimals):
    codes, truth, scores, people = drawn(decimals=decimals, patients=patients)
    found = areas_by_group(codes, truth, scores, people, 5)
    for group in range(5):
        own = codes == group
        alone = area_under_curve(truth[own], scores[own], people[own].astype(str))
        assert found.values[group] == alone.value
        width = np.log(alone.high / (1 - alone.high)) - np.log(alone.low / (1 - alone.low))
        sides = own & truth, own & ~truth
        wide = quantile(*(scores[side] for side in sides), np.concatenate([people[side] for side in sides]))
        error = width / 2 / wide * alone.value * (1 - alone.value)
        assert np.sqrt(found.variances[group]) == pytest.approx(error, rel=1e-12)
        assert found.influence[own].sum() == pytest.approx(0, abs=1e-12)


def test_areas_do_not_depend_on_the_order_of_cases():
    columns = drawn()
    turned = [column[::-1].copy() for column in columns]
    assert (areas_by_group(*columns, 5).values == areas_by_group(*turned, 5).values).all()


def test_a_group_without_a_class_has_no_area():
    found = areas_by_group(
        np.array([0, 0, 1]), np.array([True, False, True]), np.array([1.0, 0.0, 2.0]), np.arange(3), 3
    )
    assert found.values[0] == 1
    assert np.isnan(found.values[1:]).all()
    assert np.isnan(found.variances).all()


@pytest.mark.parametrize("decimals", [1, 9])
def test_areas_across_groups_are_those_of_everyone_outside(decimals):
    codes, truth, scores, people = drawn(decimals=decimals)
    order = np.argsort(scores, kind="stable")
    areas, parts = cross_areas(codes[order][None], truth[order], runs_of(scores[order]), 4)
    for group in range(4):  # the fifth is nobody's group and everybody's background
        sides = truth & (codes != group), ~truth & (codes == group)
        alone = area_between(scores, people, *sides)
        assert areas[0, group] == pytest.approx(alone.value, abs=1e-14)
        assert parts[0, :, group].sum() == pytest.approx(0, abs=1e-12)
        width = np.log(alone.high / (1 - alone.high)) - np.log(alone.low / (1 - alone.low))
        wide = quantile(*(scores[side] for side in sides), np.concatenate([people[side] for side in sides]))
        error = width / 2 / wide * alone.value * (1 - alone.value)
        assert np.sqrt((parts[0, :, group] ** 2).sum()) == pytest.approx(error, rel=0.02)


def test_a_difference_of_areas_has_an_interval_and_agrees_with_its_p_value():
    codes, truth, scores, people = drawn(200, groups=2)
    first, second = (area_between(scores, people, truth & (codes == g), ~truth & (codes == g)) for g in (0, 1))
    result, p = area_difference(first, second)
    assert result.value == first.value - second.value
    assert result.low < result.value < result.high
    assert (p < 0.05) == (not result.low <= 0 <= result.high)
    close, _ = area_difference(first, second, correlation=0.5)
    assert close.high - close.low < result.high - result.low
    assert area_difference(first, first)[1] == 1


def test_a_difference_without_an_area_or_an_interval_has_a_reason():
    none = area_under_curve([1, 1], [1, 2], ["a", "b"])
    bare = area_under_curve([1, 1, 0, 0], [1, 3, 2, 0], ["a", "a", "b", "c"])
    assert area_difference(none, bare)[0].value is None
    result, p = area_difference(bare, bare)
    assert (result.value, result.low, p) == (0, None, None)
    assert result.reason
