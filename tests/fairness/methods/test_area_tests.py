# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.rankings import ranking
from monai_ethics.fairness.methods.area_tests import (
    area_detectable,
    area_omnibus,
    area_parts,
    area_spread,
    cross_omnibus,
    cross_parts,
)
from monai_ethics.statistics.auc import areas_by_group


@pytest.fixture
def make():
    def drawn(*, patients=None, decimals=9, n=150):
        rng = np.random.default_rng(2)
        truth = rng.random(n) < 0.4
        people = np.arange(n) if patients is None else np.repeat(np.arange(patients), n // patients)
        table = BinaryScores(
            target="y",
            cases=tuple(map(str, range(n))),
            patients=tuple(map(str, people)),
            y_true=tuple(truth),
            y_score=tuple(np.round(rng.normal(size=n) + truth, decimals)),
            groups={"g": tuple("ABC"[person % 3] for person in people), "v": tuple("AB"[i % 2] for i in range(n))},
        )
        return lambda name="g": ranking(table, name)

    return drawn


@pytest.mark.parametrize("patients", [None, 50])
@pytest.mark.parametrize("decimals", [0, 9])
def test_draws_have_the_areas_and_variances_of_groups_alone(make, patients, decimals):
    data = make(patients=patients, decimals=decimals)()
    rows = np.concatenate(list(data.draws(3, 2, np.random.default_rng(0))))
    areas, spread = area_spread(data, rows)
    across, parts = cross_parts(data, rows)
    for draw, labels in enumerate(rows):
        alone = areas_by_group(labels.astype(int), data.truth, data.scores, data.patients, 3)
        assert areas[draw] == pytest.approx(alone.values, abs=1e-14)
        assert spread[draw] == pytest.approx(alone.variances, rel=1e-10)
        single, own = cross_parts(data, labels[None])
        assert across[draw] == pytest.approx(single[0], abs=1e-14)
        assert parts[draw] == pytest.approx(own[0], abs=1e-14)


def test_parts_of_patients_add_up_to_the_variance(make):
    data = make()()
    areas, parts = area_parts(data)
    assert (parts**2).sum(axis=0) == pytest.approx(area_spread(data, data.labels[None])[1][0], rel=1e-12)
    assert areas == pytest.approx(area_spread(data, data.labels[None])[0][0])


@pytest.mark.parametrize("test", [area_omnibus, cross_omnibus])
@pytest.mark.parametrize(("patients", "name"), [(None, "g"), (50, "g"), (50, "v")])
def test_one_seed_gives_one_outcome(make, test, patients, name):
    data = make(patients=patients)(name)
    first, second = (test(data, n_permutations=99, rng=np.random.default_rng(1)) for _ in range(2))
    assert first == second
    assert 0 < first[0].p <= 1
    assert first[1] == 99
    assert ("random signs" in first[2]) == (name == "v")


def test_the_limit_agrees_with_many_draws(make, monkeypatch):
    data = make(n=600)()
    exact = area_omnibus(data, n_permutations=1999, rng=np.random.default_rng(0))
    monkeypatch.setattr("monai_ethics.fairness.methods.area_tests.LIMIT_CELLS", 1)
    monkeypatch.setattr("monai_ethics.fairness.methods.area_tests.ENOUGH", 50)
    limit = area_omnibus(data, n_permutations=1999, rng=np.random.default_rng(0))
    assert limit[1] == 0
    assert limit[0].p == pytest.approx(exact[0].p, abs=0.04)
    assert limit[0].gap_null_mean == pytest.approx(exact[0].gap_null_mean, rel=0.1)


def test_fewer_draws_are_made_of_very_many_cases(make, monkeypatch):
    monkeypatch.setattr("monai_ethics.fairness.methods.area_tests.LIMIT_CELLS", 1)
    monkeypatch.setattr("monai_ethics.fairness.methods.area_tests.FEWEST_DRAWS", 50)
    assert area_omnibus(make()(), n_permutations=1999, rng=np.random.default_rng(0))[1] == 50


def test_more_patients_show_smaller_gaps():
    few, many = (area_detectable([(m, m)] * 2, area=0.85) for m in (25, 100))
    assert few == pytest.approx(2 * many, rel=0.2)  # the variance grows as the area falls
    assert area_detectable([(5, 5)] * 8, area=0.5, alpha=0.001) <= 1
    assert area_detectable([(25, 25)] * 2, area=0.85, alpha=0.01) > few
