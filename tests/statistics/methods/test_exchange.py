# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy import stats

from monai_ethics.statistics.exchange import count_rows, exchanged_sums


def test_rows_are_counted_whatever_the_order_of_patients_and_groups():
    first, second = np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]]), np.array([[0.0, 1.0], [3.0, 3.0]])
    rows, counts = count_rows([first, second])
    assert rows.tolist() == [[0.0, 1.0], [1.0, 2.0], [3.0, 3.0]]
    assert counts.tolist() == [[1, 0, 1], [1, 2, 0]]
    again = count_rows([second[::-1], first[[1, 0, 2]]])
    assert (again[0] == rows).all()
    assert (again[1] == counts).all()


@pytest.mark.parametrize("kinds", [2, 40])
def test_every_draw_holds_all_patients_once(kinds):
    rng = np.random.default_rng(0)
    groups = [np.column_stack([rng.integers(0, kinds, n), np.ones(n)]).astype(float) for n in (12, 20, 30)]
    rows, counts = count_rows(groups)
    first, *others = exchanged_sums(counts, rows, n_permutations=200, rng=np.random.default_rng(1))
    drawn = np.concatenate(others)
    assert drawn.shape == (200, 3, 2)
    assert first[0, :, 1].tolist() == [12, 20, 30]
    assert (drawn[..., 1] == [12, 20, 30]).all()
    assert (drawn[..., 0].sum(axis=1) == first[0, :, 0].sum()).all()
    assert len(np.unique(drawn[:, 0, 0])) > 3


def test_counting_is_the_hypergeometric_distribution():
    counts = np.array([[4, 6], [11, 19]])
    _, *others = exchanged_sums(counts, np.eye(2), n_permutations=20_000, rng=np.random.default_rng(2))
    drawn = np.concatenate(others)[:, 0, 0]
    for value in range(2, 7):
        expected = stats.hypergeom.pmf(value, 40, 15, 10)
        assert np.mean(drawn == value) == pytest.approx(expected, abs=4 * np.sqrt(expected / 20_000))
