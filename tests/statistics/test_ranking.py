# SPDX-License-Identifier: Apache-2.0
"""Areas, average precision and ROC curves by group: false alarms, coverage and power. Acceptance is two-sided."""

import numpy as np
import pytest
from scipy import integrate, stats

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.rankings import ranking
from monai_ethics.fairness.methods.area_tests import area_detectable, area_omnibus, cross_omnibus
from monai_ethics.fairness.methods.roc import curve_omnibus
from monai_ethics.fairness.ranking_gap import RankingGap
from monai_ethics.statistics.auc import area_between, area_difference
from monai_ethics.statistics.average_precision import average_precision
from monai_ethics.statistics.corrections import holm
from monai_ethics.statistics.permutation import Omnibus

pytestmark = pytest.mark.slow
REPLICATES, DRAWS = 600, 199
LOW, HIGH = (int(x) for x in stats.binom.interval(0.99, REPLICATES, 0.05))
FEWEST = 0.95 - 2.6 * np.sqrt(0.95 * 0.05 / 1000)  # 99 % limit, or wider, of an interval that is exact
MOST = 0.985  # an interval that holds everything would cover too


def cases(rng, m, n, *, per=1, separation=1.2, icc=0.5):
    """Scores and classes of m and n patients with `per` cases; with several, some patients have both classes."""
    own = np.repeat(np.arange(m + n) < m, per)
    truth = own ^ (rng.random(len(own)) < 0.15) if per > 1 else own
    shared = np.repeat(rng.standard_normal(m + n), per)
    noise = np.sqrt(icc) * shared + np.sqrt(1 - icc) * rng.standard_normal(len(own)) if per > 1 else shared
    return noise + separation * truth, truth, np.repeat(np.arange(m + n), per)


def draw(rng, sizes, *, shift=None, spread=None, separation=None, ties=False, per=1, crossed=False):
    count = len(sizes)
    shift, spread, separation = shift or [0] * count, spread or [1] * count, separation or [1.2] * count
    parts = [cases(rng, m, n, per=per, separation=separation[k]) for k, (m, n) in enumerate(sizes)]
    scores = np.concatenate([spread[k] * part[0] + shift[k] for k, part in enumerate(parts)])
    labels = np.concatenate([np.full(len(part[0]), k) for k, part in enumerate(parts)])
    patients = np.concatenate([part[2] + 10_000 * k for k, part in enumerate(parts)])
    if crossed:
        labels = rng.integers(0, count, len(labels))
    table = BinaryScores(
        target="y",
        cases=tuple(map(str, range(len(scores)))),
        patients=tuple(map(str, patients)),
        y_true=tuple(np.concatenate([part[1] for part in parts])),
        y_score=tuple(np.round(scores * 1.5) if ties else scores),
        groups={"g": tuple(map(str, labels))},
    )
    return ranking(table, "g")


def even(n, groups):
    return {"sizes": [(n // 2, n // 2)] * groups}


NULLS = {
    "2x30": even(30, 2),
    "5x10": even(10, 5),
    "5x30": even(30, 5),
    "8x100": even(100, 8),
    "unequal n": {"sizes": [(50, 50), (20, 20), (6, 6)]},
    "unequal prevalence": {"sizes": [(10, 50), (30, 20)]},
    "score shift": {"sizes": [(25, 25)] * 3, "shift": [0, 1, 2]},
    "score shift, unequal prevalence": {"sizes": [(10, 50), (40, 20)], "shift": [0, 1.5]},
    "score shift, 5 and 50 beside 50 and 5": {"sizes": [(5, 50), (50, 5)], "shift": [0, 2]},
    "score shift, unequal prevalence in 3": {"sizes": [(6, 60), (20, 40), (60, 20)], "shift": [0, 1, 2]},
    "ties, score shift": {"sizes": [(10, 40), (30, 20)], "ties": True, "shift": [0, 1.1]},
    "unequal spread": {"sizes": [(10, 10), (40, 40)], "spread": [1, 3]},
    "ties": {"sizes": [(20, 30), (15, 15)], "ties": True},
    "clusters": {"sizes": [(15, 15), (25, 15)], "per": 4},
    "clusters, score shift": {"sizes": [(10, 20), (25, 15)], "per": 4, "shift": [0, 1]},
    "patients in two groups": {"sizes": [(20, 20), (20, 20)], "per": 4, "crossed": True},
    "patients in three groups": {"sizes": [(20, 20)] * 3, "per": 4, "crossed": True},
}
ACROSS = [name for name in NULLS if "shift" not in name and "spread" not in name and name != "8x100"]
CURVES = [name for name in NULLS if "patients in" not in name and name != "8x100"]


def rejections(test, setting, seed=7):
    rng = np.random.default_rng(seed)
    hits = 0
    for replicate in range(REPLICATES):
        found = test(draw(rng, **setting), n_permutations=DRAWS, rng=np.random.default_rng(replicate))[0]
        hits += found.p <= 0.05
    return hits


def report(kind, name, hits):
    print(f"{kind}, {name}: {hits} of {REPLICATES} = {hits / REPLICATES:.3f} (accepted {LOW} to {HIGH})")
    return LOW <= hits <= HIGH


@pytest.mark.parametrize("name", NULLS)
def test_equal_areas_are_rejected_as_often_as_stated(name):
    assert report("auc", name, rejections(area_omnibus, NULLS[name]))


@pytest.mark.parametrize("name", ACROSS)
def test_equal_areas_across_groups_are_rejected_as_often_as_stated(name):
    assert report("auc_bpsn", name, rejections(cross_omnibus, NULLS[name]))


def test_equal_areas_across_groups_of_unequal_spread_are_rejected_as_often_as_stated():
    def turned(rng):  # each group's classes spread around the same two centers: both areas across are equal
        scores = [rng.normal(0, 1, 10), rng.normal(1, 1, 10), rng.normal(0, 3, 40), rng.normal(1, 3, 40)]
        truth = np.repeat([False, True, False, True], [10, 10, 40, 40])
        keys = tuple(map(str, range(100)))
        table = BinaryScores(
            target="y",
            cases=keys,
            patients=keys,
            y_true=tuple(truth),
            y_score=tuple(np.concatenate(scores)),
            groups={"g": ("a",) * 20 + ("b",) * 80},
        )
        return ranking(table, "g")

    rng = np.random.default_rng(3)
    found = [
        cross_omnibus(turned(rng), n_permutations=DRAWS, rng=np.random.default_rng(i))[0] for i in range(REPLICATES)
    ]
    assert report("auc_bpsn", "unequal spread", sum(item.p <= 0.05 for item in found))


@pytest.mark.parametrize("name", ["5x30", "unequal n", "clusters", "patients in three groups"])
def test_pairs_of_areas_across_groups_are_told_apart_no_more_often_than_stated(name):
    setting = {**NULLS[name], "sizes": [*NULLS[name]["sizes"], (10, 10)][:3]}
    nothing = Omnibus(p=0.0, gap=0.0, gap_null_mean=0.0, gap_null_95th=0.0)
    rng, hits = np.random.default_rng(5), 0
    for _ in range(REPLICATES):
        pairs = RankingGap(measure="auc_bpsn")._pairs(draw(rng, **setting), nothing)
        hits += min(holm([pair.p for pair in pairs])) <= 0.05
    print(f"auc_bpsn, any of 3 pairs by Holm, {name}: {hits / REPLICATES:.3f} (accepted up to {HIGH}: {hits})")
    assert 0 < hits <= HIGH


@pytest.mark.parametrize("name", CURVES)
def test_one_curve_is_rejected_as_often_as_stated(name):
    assert report("abroca", name, rejections(curve_omnibus, NULLS[name]))


TIED = {
    "5 scores, 2x100": {"sizes": [(50, 50)] * 2, "ties": True},
    "scores on other scales": {"sizes": [(20, 30), (25, 15)], "ties": True, "shift": [0, 1.1]},
    "3x40": {"sizes": [(20, 20)] * 3, "ties": True},
    "clusters": {"sizes": [(15, 15), (25, 15)], "per": 4, "ties": True},
    "unequal n": {"sizes": [(60, 60), (8, 8)], "ties": True},
}


@pytest.mark.parametrize("name", TIED)
def test_one_curve_of_few_distinct_scores_is_rejected_as_often_as_stated(name):
    assert report("abroca, ties", name, rejections(curve_omnibus, TIED[name]))


GAPS = {
    "two groups of 60, .80 and .98": ({"sizes": [(30, 30)] * 2, "separation": [1.2, 3.0]}, 0.85),
    "one of 60 beside two of 200, .55 and .80": (
        {"sizes": [(100, 100), (100, 100), (30, 30)], "separation": [1.2, 1.2, 0.18]},
        0.75,
    ),
    "two groups of 60 patients with 4 cases": ({"sizes": [(30, 30)] * 2, "separation": [0.8, 2.4], "per": 4}, 0.85),
}


@pytest.mark.parametrize("name", GAPS)
def test_planted_gaps_of_areas_are_found(name):
    setting, least = GAPS[name]
    share = rejections(area_omnibus, setting) / REPLICATES
    print(f"auc, {name}: power {share:.3f}")
    assert share >= least


def test_a_shift_of_one_groups_scores_is_found_across_groups():
    share = rejections(cross_omnibus, {"sizes": [(30, 30)] * 2, "shift": [0, 0.8]}) / REPLICATES
    print(f"auc_bpsn, shift of 0.8 in two groups of 60: power {share:.3f}")
    assert share >= 0.85


def test_the_detectable_gap_is_found_as_often_as_stated():
    m = 60
    high = 1.4657  # area .85
    gap = area_detectable([(m, m)] * 2, area=0.85)
    low = float(stats.norm.ppf(0.85 - gap) * np.sqrt(2))
    share = rejections(area_omnibus, {"sizes": [(m, m)] * 2, "separation": [high, low]}) / REPLICATES
    print(f"auc, detectable gap {gap:.3f} below .85: power {share:.3f}")
    assert 0.7 <= share <= 0.9


SIZES = [(5, 5), (5, 15), (10, 10), (25, 25), (100, 100)]  # n = 10, 20, 20, 50, 200


def covering(found, truth):
    """Share of the intervals that hold the truth, and of the results that have one."""
    known = [item for item in found if item.low is not None]
    return np.mean([item.low <= truth <= item.high for item in known]), len(known) / len(found)


@pytest.mark.parametrize("per", [1, 4])
@pytest.mark.parametrize(("m", "n"), SIZES)
def test_areas_and_their_differences_are_covered(m, n, per):
    rng = np.random.default_rng(m)
    truth = float(stats.norm.cdf(1.2 / np.sqrt(2)))

    def area():
        scores, positive, patients = cases(rng, m, n, per=per)
        return area_between(scores, patients, positive, ~positive)

    areas = [area() for _ in range(2000)]
    share, known = covering(areas, truth)
    both, _ = covering([area_difference(*pair)[0] for pair in zip(areas[::2], areas[1::2], strict=True)], 0.0)
    print(f"auc, {m} + {n} patients of {per}: coverage {share:.3f} ({known:.3f} defined), differences {both:.3f}")
    assert share >= FEWEST
    assert both >= FEWEST
    if min(m, n) >= 25:
        assert share <= MOST


@pytest.mark.parametrize("per", [1, 4])
@pytest.mark.parametrize(("m", "n"), [(5, 100), (10, 100), (20, 200)])
def test_areas_of_few_positive_cases_among_many_negative_ones_are_covered(m, n, per):
    rng = np.random.default_rng(m)
    truth = float(stats.norm.cdf(1.2 / np.sqrt(2)))

    def area():
        positive = np.repeat(np.arange(m + n) < m, per)
        shared = np.repeat(rng.standard_normal(m + n), per)
        noise = shared if per == 1 else np.sqrt(0.5) * (shared + rng.standard_normal(len(shared)))
        patients = np.repeat(np.arange(m + n), per)
        return area_between(noise + 1.2 * positive, patients, positive, ~positive)

    share, _ = covering([area() for _ in range(1000)], truth)
    print(f"auc, {m} positive and {n} negative patients of {per}: coverage {share:.3f}")
    assert share >= 0.92


def precision_of(separation, prevalence):
    def value(x):
        up, down = prevalence * stats.norm.sf(x - separation), (1 - prevalence) * stats.norm.sf(x)
        return up / (up + down) * stats.norm.pdf(x - separation)

    return float(integrate.quad(value, -6, 8)[0])


@pytest.mark.parametrize("per", [1, 4])
@pytest.mark.parametrize(("m", "n"), [(10, 10), (10, 40), (20, 80), (50, 50), (200, 200)])
def test_average_precision_is_covered(m, n, per):
    rng = np.random.default_rng(m + n)
    truth = precision_of(1.2, m / (m + n))

    def value():
        own = np.repeat(np.arange(m + n) < m, per)
        shared = np.repeat(rng.standard_normal(m + n), per)
        noise = np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.standard_normal(len(own)) if per > 1 else shared
        return average_precision(noise + 1.2 * own, own, np.repeat(np.arange(m + n), per))

    share, known = covering([value() for _ in range(1000)], truth)
    print(f"average precision, {m} + {n} patients of {per}: coverage {share:.3f} ({known:.3f} defined)")
    assert share >= FEWEST


def test_average_precision_is_covered_when_prevalence_is_drawn_too():
    rng = np.random.default_rng(8)
    truth = precision_of(1.2, 0.3)

    def value():
        own = rng.random(100) < 0.3
        return average_precision(rng.standard_normal(100) + 1.2 * own, own, np.arange(100))

    share, _ = covering([value() for _ in range(1000)], truth)
    print(f"average precision, prevalence .3 of 100 patients: coverage {share:.3f}")
    assert FEWEST <= share <= MOST
