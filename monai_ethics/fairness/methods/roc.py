# SPDX-License-Identifier: Apache-2.0
"""ROC curves, the area between two of them (ABROCA), and what that area is when groups have one curve.

References:
    [1] Gardner, Brooks & Baker 2019, LAK 2019: ABROCA, the absolute area between two ROC curves.
    [2] Venkatraman 2000, Biometrics 56: permuting ranks within groups to compare ROC curves of independent samples.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from monai_ethics.fairness.data.rankings import Ranking
from monai_ethics.statistics.intervals import Floats
from monai_ethics.statistics.permutation import CELLS, Omnibus, summary
from monai_ethics.statistics.placements import Blocks, Ints, blocks_of, runs_within

__all__ = ["curve_area", "curve_omnibus", "roc_at", "roc_vertices", "standardized"]

GRID = 256
LIMIT_CELLS = 5_000_000
FEWEST_DRAWS = 199


def roc_vertices(scores: Floats, truth: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Corners of an ROC curve, one for each threshold; cases of one score enter together.

    Args:
        scores: score of each case, shape ``(N,)``.
        truth: whether it is positive; both classes are there, shape ``(N,)``.

    Returns:
        False and true positive rates, ascending from 0 to 1.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, positive = scores[order], truth[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    ups = np.concatenate([[0], np.cumsum(positive)[ends]])
    downs = np.concatenate([[0], np.cumsum(~positive)[ends]])
    return downs / downs[-1], ups / ups[-1]


def _limits(vertices: tuple[Floats, Floats], x: Floats, *, left: bool) -> Floats:
    """The curve just right or just left of each position."""
    rates, heights = vertices
    last = len(rates) - 1
    if left:
        upper = np.maximum(np.searchsorted(rates, x, side="left"), 1)
    else:
        upper = np.minimum(np.searchsorted(rates, x, side="right"), last)
    lower = upper - 1
    width = rates[upper] - rates[lower]
    share = np.where(width > 0, (x - rates[lower]) / np.where(width > 0, width, 1.0), 1.0)
    found: Floats = heights[lower] + share * (heights[upper] - heights[lower])
    return found


def roc_at(vertices: tuple[Floats, Floats], x: Floats) -> Floats:
    """True positive rate reached at each false positive rate; at a step its upper end."""
    found: Floats = np.where(x >= 1, 1.0, _limits(vertices, x, left=False))
    return found


def curve_area(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> float:
    """Area between two ROC curves, whichever lies above [1]: exact, crossings included.

    Args:
        first: corners, as `roc_vertices` gives them.
        second: corners of the other.

    Returns:
        The area, 0 to 1.
    """
    x = np.union1d(first[0], second[0])
    starts = _limits(first, x[:-1], left=False) - _limits(second, x[:-1], left=False)
    ends = _limits(first, x[1:], left=True) - _limits(second, x[1:], left=True)
    total = np.abs(starts) + np.abs(ends)
    crossing = starts * ends < 0
    triangles = (starts**2 + ends**2) / np.where(total > 0, total, 1.0)
    return float(np.sum(np.diff(x) * np.where(crossing, triangles, total)) / 2)


def standardized(data: Ranking, rng: np.random.Generator) -> tuple[Ranking, Ints | None]:
    """Scores as their places within their own group, both classes weighing the same [2].

    Groups with one ROC curve then have alike scores, wherever their scores lie and whatever their prevalence, so that
    patients can be exchanged between them. Ties are put in random order first; whoever is drawn into a group is then
    tied where that group's scores were, so that curves of draws have slopes of the same lengths. (Without this, one
    curve of few distinct scores was rejected in .027 in place of .05.)

    Args:
        data: cases of groups that have both classes.
        rng: source of random numbers.

    Returns:
        The same cases with other scores, no two of them alike, and the ties that cases form within each group, shape
        ``(groups, N)``, ``None`` without any. With those, ROC curves within groups are unchanged.
    """
    places = np.empty(len(data.scores))
    ends: dict[int, tuple[Floats, Floats]] = {}
    for group in _by_size(data):  # so that the names of groups do not matter
        own = np.flatnonzero(data.labels == group)
        scores, truth = data.scores[own], data.truth[own]
        apart = rng.random(len(own))
        order = np.lexsort((apart, scores))
        positives = int(truth.sum())
        weights = np.where(truth, 1 / (2 * positives), 1 / (2 * (len(own) - positives)))[order]
        upto = np.cumsum(weights)
        places[own[order]] = upto - weights / 2 + 1e-9 * apart[order]  # places that meet by chance are set apart
        ends[group] = _tied_places(scores, truth, upto)
    alike = data.with_scores(places)
    if not any(len(low) for low, _ in ends.values()):
        return alike, None
    return alike, np.stack([_tied_within(alike.scores, *ends[group]) for group in range(len(data.names))])


def _by_size(data: Ranking) -> list[int]:
    sides = [data.labels == group for group in range(len(data.names))]
    keys = [(int(side.sum()), int(data.truth[side].sum()), float(data.scores[side].sum())) for side in sides]
    return sorted(range(len(keys)), key=lambda group: keys[group])


def _tied_places(scores: Floats, truth: NDArray[np.bool_], upto: Floats) -> tuple[Floats, Floats]:
    """Where each tie of both classes starts and ends, from sorted scores and the places up to each case."""
    starts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))
    sizes = np.diff(np.append(starts, len(scores)))
    ups = np.add.reduceat(truth, starts, dtype=np.int64)
    mixed = (ups > 0) & (ups < sizes)
    return np.concatenate([[0.0], upto])[starts[mixed]], upto[(starts + sizes - 1)[mixed]]


def _tied_within(places: Floats, low: Floats, high: Floats) -> Ints:
    """Number of the tie of each place, those between the same two ends being tied."""
    tie = np.searchsorted(low, places, side="right") - 1
    tied = (tie >= 0) & (places < high[np.maximum(tie, 0)]) if len(low) else np.zeros(len(places), dtype=bool)
    return np.concatenate([[0], np.cumsum(~(tied[1:] & tied[:-1] & (tie[1:] == tie[:-1])))])


def curve_omnibus(data: Ranking, *, n_permutations: int, rng: np.random.Generator) -> tuple[Omnibus, int]:
    """Test of one ROC curve for all groups by the largest area between any two of them.

    Args:
        data: cases of 2 or more groups with both classes; no patient in several groups.
        n_permutations: random draws of patients exchanged among those with cases of the same classes.
        rng: source of random numbers.

    Returns:
        The outcome (its gap is the largest area between two curves, read at `GRID` false positive rates), and the
        number of draws.
    """
    count = len(data.names)
    alike, runs = standardized(data, rng)
    draws = min(n_permutations, max(LIMIT_CELLS // max(len(data.scores), 1), FEWEST_DRAWS))
    largest = []
    for labels in alike.draws(draws, max(CELLS // max(len(data.scores), GRID * count), 1), rng):
        blocks = blocks_of(labels, alike.truth, runs, count)
        heights = _heights(blocks, runs).reshape(len(labels), count, GRID)
        top = np.zeros(len(labels))
        for first, second in combinations(range(count), 2):
            top = np.maximum(top, np.abs(heights[:, first] - heights[:, second]).mean(axis=1))
        largest.append(top)
    gaps = np.concatenate(largest)
    return summary(gaps, gaps), draws


def _heights(blocks: Blocks, runs: Ints | None) -> Floats:
    """True positive rate of each block at the middle of `GRID` equal parts of the false positive rate."""
    starts, ends = _sides(blocks, None if runs is None else runs_within(runs, blocks.block, blocks.order))
    down = ~blocks.truth
    m, n = blocks.positives.astype(np.float64), blocks.negatives.astype(np.float64)
    last = np.cumsum(blocks.negatives) - 1  # each block's highest negative case
    x = (np.arange(GRID) + 0.5) / GRID
    exact = x * n[:, None]
    place = np.minimum(exact.astype(np.int64), blocks.negatives[:, None] - 1)
    rows = last[:, None] - place
    left, right = starts[down][rows], ends[down][rows]
    found: Floats = (left + (exact - place) * (right - left)) / m[:, None]
    return found


def _sides(blocks: Blocks, runs: Ints | None) -> tuple[Floats, Floats]:
    """Positive cases above each negative case, where its part of the curve starts and where it ends."""
    if runs is None:
        above = blocks.twice / 2
        return above, above
    new = np.ones(len(runs), dtype=bool)
    new[1:] = (runs[1:] != runs[:-1]) | (blocks.block[1:] != blocks.block[:-1])
    tie = np.cumsum(new) - 1
    ups = np.bincount(tie, weights=blocks.truth)[tie]
    downs = np.bincount(tie, weights=~blocks.truth)
    counted = np.cumsum(~blocks.truth)
    upto = np.cumsum(downs)[tie]
    step = np.where(downs[tie] > 0, ups / np.maximum(downs[tie], 1), 0.0)
    middle = blocks.twice / 2  # positive cases above, those of the tie counted half
    start = middle - ups / 2 + step * (upto - counted)
    return start, start + step
