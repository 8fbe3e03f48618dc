# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.statistics.labelings import blocks_of, labelings

STRATA = ["b", "a", "b", "a", "b", "c"]


def drawn(draws, at_once=3):
    labels = np.array([1, 2, 3, 4, 5, 6])
    rng = np.random.default_rng(0)
    return list(labelings(labels, blocks_of(STRATA), draws=draws, at_once=at_once, rng=rng))


def test_blocks_are_the_rows_of_each_stratum_by_its_name():
    assert [rows.tolist() for rows in blocks_of(STRATA)] == [[1, 3], [0, 2, 4], [5]]


@pytest.mark.parametrize("draws", [0, 1, 3, 4, 9])
def test_as_many_labelings_are_drawn_as_were_asked_for(draws):
    batches = drawn(draws)
    assert sum(len(batch) for batch in batches) == draws
    assert all(len(batch) == 3 for batch in batches[:-1])


def test_no_label_leaves_its_block_and_every_arrangement_is_as_likely():
    every = np.concatenate(drawn(6000, at_once=500))
    for rows, held in (([1, 3], [2, 4]), ([0, 2, 4], [1, 3, 5]), ([5], [6])):
        assert (np.sort(every[:, rows], axis=1) == held).all()
    found, counts = np.unique(every, axis=0, return_counts=True)
    assert len(found) == 12
    assert abs(counts - 500).max() < 4 * np.sqrt(500)
