# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.rankings import ranking
from monai_ethics.fairness.methods import roc
from monai_ethics.fairness.methods.roc import curve_area, roc_at, roc_vertices, standardized
from monai_ethics.statistics.placements import blocks_of


def cases(*, decimals=9, n=90):
    rng = np.random.default_rng(4)
    truth = rng.random(n) < 0.4
    keys = tuple(map(str, range(n)))
    scores = np.round(rng.normal(size=n) + truth, decimals)
    groups = {"g": tuple("AB"[i % 2] for i in range(n))}
    return ranking(
        BinaryScores(target="y", cases=keys, patients=keys, y_true=tuple(truth), y_score=tuple(scores), groups=groups),
        "g",
    )


def vertices(data, group):
    own = data.labels == group
    return roc_vertices(data.scores[own], data.truth[own])


def test_two_step_curves_have_the_area_that_is_drawn_by_hand():
    first = roc_vertices(np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False]))  # up, right, up, right
    second = roc_vertices(np.array([4.0, 3.0, 2.0, 1.0]), np.array([False, True, True, False]))
    assert first[0].tolist() == [0, 0, 0.5, 0.5, 1]
    # below .5: heights .5 and 0; from .5 on: both 1
    assert curve_area(first, second) == pytest.approx(0.25, abs=1e-15)
    assert curve_area(first, first) == 0


def test_crossing_slopes_of_ties_are_integrated_exactly():
    diagonal = roc_vertices(np.zeros(4), np.array([True, True, False, False]))
    bent = (np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.25, 1.0]))
    turned = (np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.75, 1.0]))
    assert curve_area(diagonal, bent) == pytest.approx(0.125, abs=1e-15)
    assert curve_area(bent, turned) == pytest.approx(0.25, abs=1e-15)
    wave = (np.array([0.0, 0.25, 0.75, 1.0]), np.array([0.0, 0.5, 0.5, 1.0]))  # crosses the diagonal at .5
    assert curve_area(diagonal, wave) == pytest.approx(0.125, abs=1e-15)


@pytest.mark.parametrize("decimals", [0, 9])
def test_the_area_is_that_of_a_fine_trapezoid(decimals):
    data = cases(decimals=decimals)
    x = (np.arange(400_000) + 0.5) / 400_000
    pair = vertices(data, 0), vertices(data, 1)
    fine = np.abs(np.interp(x, *pair[0]) - np.interp(x, *pair[1])).mean()
    assert curve_area(*pair) == pytest.approx(fine, abs=1e-5)


@pytest.mark.parametrize("decimals", [0, 9])
def test_curves_of_draws_are_the_curves_of_their_corners(decimals):
    data = cases(decimals=decimals)
    blocks = blocks_of(data.labels[None], data.truth, data.runs, 2)
    heights = roc._heights(blocks, data.runs)
    x = (np.arange(roc.GRID) + 0.5) / roc.GRID
    for group in (0, 1):
        assert heights[group] == pytest.approx(np.interp(x, *vertices(data, group)), abs=1e-12)


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_places_within_groups_keep_every_curve(decimals):
    data = cases(decimals=decimals)
    alike, runs = standardized(data, np.random.default_rng(0))
    assert alike.runs is None
    assert (runs is None) == (decimals == 9)
    heights = roc._heights(blocks_of(alike.labels[None], alike.truth, runs, 2), runs)
    x = (np.arange(roc.GRID) + 0.5) / roc.GRID
    for group in (0, 1):
        assert heights[group] == pytest.approx(np.interp(x, *vertices(data, group)), abs=1e-12)


def test_whoever_is_drawn_into_a_group_is_tied_where_its_scores_were():
    data = cases(decimals=0)
    _, runs = standardized(data, np.random.default_rng(0))
    for group in (0, 1):
        own = np.unique(data.scores[data.labels == group])
        drawn, sizes = np.unique(runs[group], return_counts=True)
        assert (sizes > 1).sum() <= len(own)
        assert len(drawn) < 30


def test_a_curve_is_read_at_the_upper_end_of_its_steps():
    corner = roc_vertices(np.array([3.0, 2.0, 1.0]), np.array([True, True, False]))
    assert roc_at(corner, np.array([0.0, 0.5, 1.0])).tolist() == [1, 1, 1]
