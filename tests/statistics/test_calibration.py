# SPDX-License-Identifier: Apache-2.0
"""Calibration and standardization: false alarms two-sided, coverage, and what binned errors are by chance alone."""

from functools import cache
from statistics import fmean

import numpy as np
import pytest
from scipy import special, stats

from monai_ethics.fairness.calibration import Calibration, ratio_group
from monai_ethics.fairness.data.probabilities import Forecasts
from monai_ethics.fairness.data.scores import ScoreTable
from monai_ethics.fairness.methods.calibration_gaps import ece_gap, slope_difference, slope_omnibus
from monai_ethics.fairness.methods.ratios import ratio_omnibus
from monai_ethics.fairness.methods.standardized_comparison import compare_standardized
from monai_ethics.statistics.calibration import common_bins, ece, equal_width_edges, null_errors
from monai_ethics.statistics.calibration_slope import calibration_slope
from monai_ethics.statistics.goodness import goodness_of_fit

pytestmark = pytest.mark.slow
REPLICATES, DRAWS = 600, 299
LOW, HIGH = (int(x) for x in stats.binom.interval(0.99, REPLICATES, 0.05))
BASE = {"unit": "1", "n": 9999, "n_unit": "patients", "group": {}}


def group(p, y, patients=None, label="g"):
    order = np.argsort(p, kind="stable")
    names = [f"{label}{i}" for i in range(len(p))] if patients is None else [f"{label}{i}" for i in patients]
    return Forecasts(label=label, p=p[order], y=y[order].astype(float), patients=tuple(names[i] for i in order))


def drawn(rng, n, location=0.0, spread=1.5, label="g"):
    """A calibrated model: outcomes are drawn from its probabilities."""
    p = special.expit(rng.normal(location, spread, n))
    return group(p, rng.random(n) < p, label=label)


def clustered(rng, patients, location=0.0, label="g"):
    """Four images a patient, all with the patient's probability plus noise, outcomes with an ICC of .5."""
    base = rng.normal(location, 1.5, patients)
    p = special.expit(np.repeat(base, 4))
    shared = rng.random(patients) < 0.5**0.5
    own = rng.random((patients, 4)) < 0.5**0.5
    common = rng.random(patients)[:, None]
    u = np.where(shared[:, None] & own, common, rng.random((patients, 4))).ravel()
    return group(p, u < p, np.repeat(np.arange(patients), 4), label)


@pytest.mark.parametrize(("n", "expected"), [(20, 0.176), (50, 0.120), (100, 0.085), (300, 0.049), (1000, 0.028)])
def test_a_calibrated_model_has_an_error_by_chance_alone(n, expected):
    rng = np.random.default_rng(0)
    p = rng.beta(0.5, 0.5, n)
    found = [null_errors(np.sort(rng.beta(0.5, 0.5, n)), common_bins(p, 10), draws=20, rng=rng) for _ in range(100)]
    null = np.concatenate(found).mean(axis=0)
    assert null[0] == pytest.approx(expected, abs=0.01)
    assert null[2] < 0.75 * null[0]  # the debiased one is nearer to 0


SETTINGS = {
    "equal": [(60, 0.0, 1.5), (60, 0.0, 1.5)],
    "other scores": [(60, 0.0, 0.5), (60, -2.0, 2.0)],
    "other n and scores": [(200, 1.0, 0.7), (30, -1.0, 2.0)],
    "five groups": [(40, 0.4 * i - 1, 0.5 + 0.4 * i) for i in range(5)],
}


def rejected(p_of):
    """Number of data sets with p of .05 or less; the rest are shown when it fails."""
    return sum(p_of(np.random.default_rng([seed, 7])) <= 0.05 for seed in range(REPLICATES))


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())
def test_errors_of_calibrated_groups_keep_the_level(setting):
    def p_of(rng):
        groups = [drawn(rng, *each, label=str(i)) for i, each in enumerate(setting)]
        bins = common_bins(np.sort(np.concatenate([each.p for each in groups])), 10)
        return ece_gap(groups, bins, draws=DRAWS, rng=rng)[0].p

    assert LOW <= rejected(p_of) <= HIGH


def test_permuting_patients_would_raise_false_alarms():
    alarms, edges = 0, equal_width_edges(10)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        first, second = drawn(rng, 300, -4.0, 0.5), drawn(rng, 300, 0.0, 1.5)
        p, y = np.concatenate([first.p, second.p]), np.concatenate([first.y, second.y])
        gaps = []
        for draw in range(100):
            order = np.arange(600) if draw == 0 else rng.permutation(600)
            halves = order[:300], order[300:]
            gaps.append(abs(ece(p[halves[0]], y[halves[0]], edges) - ece(p[halves[1]], y[halves[1]], edges)))
        alarms += np.mean(np.array(gaps) >= gaps[0]) <= 0.05
    assert alarms / 200 > 0.2


@pytest.mark.parametrize("power", [1, 2], ids=["in the large", "brier"])
@pytest.mark.parametrize("kind", ["iid", "clustered", "five groups"])
def test_means_of_equal_groups_keep_the_level(power, kind):
    def p_of(rng):
        if kind == "clustered":
            groups = [clustered(rng, 40, label=str(i)) for i in range(2)]
        else:
            sizes = (40, 120) if kind == "iid" else (40,) * 5
            groups = [drawn(rng, n, label=str(i)) for i, n in enumerate(sizes)]
        ratios = [ratio_group(each, (each.p - each.y) ** power) for each in groups]
        return ratio_omnibus(ratios, n_permutations=DRAWS, rng=rng).p

    assert LOW <= rejected(p_of) <= HIGH


@pytest.mark.parametrize("scores", [[(0.0, 1.5), (0.0, 1.5)], [(0.0, 0.6), (-1.5, 1.5)]], ids=["equal", "other scores"])
@pytest.mark.parametrize("n", [(150, 150), (300, 80)])
def test_slopes_of_calibrated_groups_keep_the_level(n, scores):
    def p_of(rng):
        groups = [drawn(rng, size, *each, label=str(i)) for i, (size, each) in enumerate(zip(n, scores, strict=True))]
        slopes = [calibration_slope(each.p, each.y, each.patients) for each in groups]
        return slope_omnibus(slopes, draws=DRAWS, rng=rng).p

    assert LOW <= rejected(p_of) <= HIGH


def test_slopes_of_clustered_groups_keep_the_level():
    def p_of(rng):
        slopes = [calibration_slope(g.p, g.y, g.patients) for g in (clustered(rng, 100, label=str(i)) for i in (0, 1))]
        return slope_omnibus(slopes, draws=DRAWS, rng=rng).p

    assert LOW <= rejected(p_of) <= HIGH


@cache
def ends(make, n, location):
    """Intervals of all measures, by name, of each of the data sets."""
    groups = (make(np.random.default_rng([seed, n]), n, location) for seed in range(REPLICATES))
    return [{item.name: (item.low, item.high) for item in Calibration()._moments(group, BASE)} for group in groups]


def covers(make, n, measure, location):
    """Share of intervals that hold the truth: 0 in the large, 1 for the slope, the mean of p (1 - p) for Brier."""
    many = special.expit(np.random.default_rng(0).normal(location, 1.5, 400_000))
    name = {"large": "calibration_in_the_large", "slope": "calibration_slope", "brier": "brier"}[measure]
    truth = {"large": 0.0, "slope": 1.0, "brier": float((many * (1 - many)).mean())}[measure]
    known = [found[name] for found in ends(make, n, location) if found[name][0] is not None]
    assert len(known) > REPLICATES / 3
    share = fmean(low <= truth <= high for low, high in known)
    return share, stats.binom.interval(0.99, len(known), 0.95)[0] / len(known)


SIZES = [(20, 0.0), (50, 0.0), (200, 0.0), (50, -2.0), (200, -3.5)]
COVERAGE = [
    pytest.param(make, measure, n, location, id=f"{make.__name__}-{measure}-{n}-{location}")
    for make in (drawn, clustered)
    for measure in ("large", "slope", "brier")
    for n, location in SIZES
    if not (make is clustered and measure == "brier" and n < 30)  # it has no interval there
]


@pytest.mark.parametrize(("make", "measure", "n", "location"), COVERAGE)
def test_intervals_cover(make, measure, n, location):
    covered, least = covers(make, n, measure, location)
    assert covered >= min(least, 0.92)


def test_planted_gaps_of_calibration_are_found():
    found = {"ece": 0, "large": 0, "slope": 0}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        first, second, wide = (drawn(rng, 200, 0.0, 1.0, label=name) for name in "abc")
        high = group(np.clip(second.p + 0.15, 0, 1), second.y, label="b")
        extreme = group(special.expit(3 * special.logit(wide.p)), wide.y, label="c")
        bins = common_bins(np.sort(np.concatenate([first.p, high.p])), 10)
        found["ece"] += ece_gap([first, high], bins, draws=199, rng=rng)[0].p <= 0.05
        ratios = [ratio_group(each, each.p - each.y) for each in (first, high)]
        found["large"] += ratio_omnibus(ratios, n_permutations=199, rng=rng).p <= 0.05
        slopes = [calibration_slope(each.p, each.y, each.patients) for each in (first, extreme)]
        found["slope"] += slope_omnibus(slopes, draws=199, rng=rng).p <= 0.05
        assert slope_difference(*slopes, level=0.95)[0].low is not None
    assert min(found.values()) / 200 > 0.75, found


def confounded(rng, n, gap=0.0, images=1):
    """The second group's lesions are smaller, and small lesions score lower for everybody."""
    sex = rng.integers(0, 2, n)
    small = rng.random(n) < np.where(sex, 0.75, 0.25)
    values = np.where(small, 0.5, 0.75)[:, None] + 0.08 * rng.normal(size=(n, 1)) + 0.05 * rng.normal(size=(n, images))
    values = np.clip(values - gap * sex[:, None], 0.001, 0.999)
    keys = tuple(str(i) for i in range(n * images))
    return ScoreTable(
        metric="mean_dice",
        unit="1",
        higher_is_better=True,
        cases=keys,
        patients=tuple(str(i // images) for i in range(n * images)),
        values=tuple(values.ravel().tolist()),
        outcomes=("scored",) * (n * images),
        groups={
            "sex": tuple("FM"[i] for i in np.repeat(sex, images)),
            "roi_size_band": tuple("small" if each else "large" for each in np.repeat(small, images)),
        },
    )


def standardized(rng, gap=0.0, n=120, images=1):
    return compare_standardized(
        confounded(rng, n, gap, images),
        "sex",
        "roi_size_band",
        min_group_size=10,
        min_cell_size=5,
        n_permutations=199,
        seed=0,
    )


@pytest.mark.parametrize("images", [1, 3])
def test_a_gap_of_the_mix_alarms_raw_and_not_standardized(images):
    found = [standardized(np.random.default_rng([seed, images]), images=images) for seed in range(REPLICATES)]
    assert LOW <= sum(each.p <= 0.05 for each in found) <= HIGH
    assert fmean(each.raw.p <= 0.05 for each in found) > 0.95


def test_a_gap_within_the_strata_is_found():
    found = [standardized(np.random.default_rng(seed), gap=0.06) for seed in range(200)]
    assert fmean(each.p <= 0.05 for each in found) > 0.8


@pytest.mark.parametrize(
    ("n", "shares"), [(400, (0.5, 0.3, 0.2)), (40, (0.6, 0.35, 0.05))], ids=["chi-square", "multinomial"]
)
def test_a_sample_of_the_declared_population_keeps_the_level(n, shares):
    shares = np.array(shares)
    rng = np.random.default_rng(0)
    alarms = 0
    for counts in rng.multinomial(n, shares, REPLICATES):
        alarms += goodness_of_fit(counts.astype(float), shares, draws=999, seed=0).p <= 0.05
    assert LOW <= alarms <= HIGH


def test_another_population_is_told_apart():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(200, (0.65, 0.35), 200)
    assert (
        fmean(goodness_of_fit(c.astype(float), np.array([0.5, 0.5]), draws=99, seed=0).p <= 0.05 for c in counts) > 0.9
    )
