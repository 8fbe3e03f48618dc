# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.rankings import ranking


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    patients = [f"p{i // 2}" for i in range(40)] + [f"q{i}" for i in range(20)]
    labels = ["A" if i // 2 % 2 else None for i in range(40)] + ["B"] * 20
    return BinaryScores(
        target="y",
        cases=tuple(map(str, range(60))),
        patients=tuple(patients),
        y_true=tuple(rng.random(60) < 0.5),
        y_score=tuple(np.round(rng.normal(size=60), 1)),
        groups={"g": tuple(labels)},
    )


def test_the_order_of_cases_does_not_matter(table):
    first, second = ranking(table, "g"), ranking(table.reordered(range(59, -1, -1)), "g")
    for name in ("scores", "truth", "patients", "labels"):
        assert (getattr(first, name) == getattr(second, name)).all()
    assert first.names == ("A", "B", None)


def test_patients_are_numbered_by_the_classes_of_their_cases(table):
    data = ranking(table, "g")
    assert data.n_patients == 40
    assert (np.diff(data.patterns) >= 0).all()
    assert data.repeats
    assert data.crossed == 0
    assert data.patients_in(0)[0] == 10


def test_exchanges_keep_whole_patients_and_the_classes_of_each_group(table):
    data = ranking(table, "g")
    observed, *blocks = data.draws(7, 3, np.random.default_rng(0))
    assert (observed[0] == data.labels).all()
    assert [len(block) for block in blocks] == [3, 3, 1]
    for labels in np.concatenate(blocks):
        assert len(np.unique(data.patients * 10 + labels)) == data.n_patients
        own = np.zeros(data.n_patients, dtype=int)
        own[data.patients] = labels
        for pattern in (1, 2, 3):
            rows = data.patterns == pattern
            assert (np.bincount(own[rows], minlength=3) == np.bincount(data.patient_labels[rows], minlength=3)).all()


def test_groups_left_out_go_or_stay_as_background(table):
    data = ranking(table, "g")
    alone, beside = data.compared([1, 2], rest=False), data.compared([1, 2], rest=True)
    assert alone.names == beside.names == ("B", None)
    assert (len(alone.scores), len(beside.scores)) == (40, 60)
    assert (beside.labels == 2).sum() == 20


def test_turning_around_twice_gives_the_same_cases(table):
    data = ranking(table, "g")
    twice = data.flipped().flipped()
    assert (twice.scores == data.scores).all()
    assert data.flipped().truth.sum() == (~data.truth).sum()


def test_patients_in_several_groups_are_counted(table):
    data = ranking(table.with_groups({"g": tuple("AB"[i % 2] for i in range(60))}), "g")
    assert data.crossed == 20
