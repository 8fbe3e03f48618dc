# SPDX-License-Identifier: Apache-2.0
"""What intervals and floors of whole sets are worth: how often they hold, how wide they are, what raises an alarm.

Features are normal vectors whose j-th spread is j^-1/2, so that some directions matter more than others, as features of
images do. Shares are accepted within two-sided 99 % binomial limits of what is claimed; an interval that is too wide
is accepted and its ratio printed (run with -s).
"""

import numpy as np
import pytest
import torch
from scipy.stats import binom

from monai_ethics.synthesis.coverage import SynthesisCoverage
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.diversity import SynthesisDiversity
from monai_ethics.synthesis.kernels.frechet import frechet_distance
from monai_ethics.synthesis.kernels.gram import Gram
from monai_ethics.synthesis.methods.floor import beside, design
from monai_ethics.synthesis.methods.jackknife import balanced_groups, jackknife
from monai_ethics.synthesis.methods.projected import projected_frechet

pytestmark = pytest.mark.slow

SIZES = [(50, 512, 40), (200, 2048, 16), (500, 64, 16)]  # images of each set, features, runs
NAMES = [f"{i:04d}" for i in range(2000)]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def spread(d):
    return np.arange(1, d + 1) ** -0.5


def draw(rng, n, d):
    return rng.standard_normal((n, d)) * spread(d)


def compared(real, made, statistics, *, patients=None, splits=10, replicated=4, seed=0):
    gram = Gram(torch.as_tensor(np.concatenate([real, made])))
    drawn = design(patients or NAMES[: len(real)], NAMES[: len(made)], size=250, splits=splits, groups=20, seed=seed)
    measures = statistics(gram, len(real))
    return beside(lambda x, y: [measure(x, y) for measure in measures], drawn, replicated=replicated)


def held(found, truth):
    """Share of intervals that hold the truth; without spread a check gives no interval."""
    return np.mean([one.low <= truth <= one.high for one in found if one.error > 0])


def enough(share, runs, claimed=0.95):
    return share * runs >= binom.ppf(0.005, runs, claimed)


def told(label, found, truth):
    values, errors = np.array([one.value for one in found]), np.array([one.error for one in found])
    share, ratio = held(found, truth), errors.mean() / values.std(ddof=1)
    print(f"{label}: mean {values.mean():.4g}, sd {values.std(ddof=1):.3g}, se/sd {ratio:.2f}, holds {share:.2f}")
    return share, ratio


def distances(gram, n):
    widths = gram.bandwidths(range(n))
    return gram.frechet, gram.kid, lambda x, y: gram.mmd(x, y, widths)


def discrepancy_and_coverage(gram, n):
    widths = gram.bandwidths(range(n))
    return lambda x, y: gram.mmd(x, y, widths), lambda x, y: gram.manifold(x, y).coverage


def neighbors(gram, n):
    return (gram.nearest_neighbor_accuracy,)


def shares(gram, n):
    return [lambda x, y, name=name: getattr(gram.manifold(x, y), name) for name in SHARES]


SHARES = ("precision", "recall", "density", "coverage")


@pytest.mark.parametrize(("n", "d", "runs"), SIZES)
@pytest.mark.parametrize("scale", [1.0, 0.8])
def test_differences_at_this_number_are_held_by_their_intervals(n, d, runs, scale):
    results = []
    for run in range(runs):
        rng = np.random.default_rng(run)
        results.append(compared(draw(rng, n, d), scale * draw(rng, n, d), distances, seed=run))
    for j, name in enumerate(("frechet_distance", "kid", "mmd")):
        found = [result[j].excess for result in results]
        truth = 0.0 if scale == 1 else float(np.mean([one.value for one in found]))
        share, _ = told(f"({n}, {d}) variance x {scale**2:.2f} {name}_excess", found, truth)
        assert enough(share, runs)


@pytest.mark.parametrize(("n", "d", "runs"), SIZES)
def test_a_distance_between_populations_is_held_in_few_fixed_directions_only(n, d, runs):
    """Corrected in all directions it is not, unless there are far more images than features."""
    scale, truth = 0.8, float(np.square(0.2 * spread(d)).sum())
    everywhere, projected = [], []
    for run in range(24 if d > 1000 else 60):
        rng = np.random.default_rng(1000 + run)
        real, made, train = draw(rng, n, d), scale * draw(rng, n, d), draw(rng, n, d)
        gram = Gram(torch.as_tensor(np.concatenate([real, made])))
        groups = balanced_groups(n, 20, rng=rng)
        left = [
            gram.frechet(np.flatnonzero(groups != group), n + np.flatnonzero(groups != group)) for group in range(20)
        ]
        plain = gram.frechet(np.arange(n), n + np.arange(n))
        everywhere.append(jackknife(plain, left, correct_bias=True))
        few = projected_frechet(real, made, train, patients=NAMES[:n], units=NAMES[:n], seed=run)
        directions = _directions(train, few.dimensions)
        here = float(np.square(0.2 * spread(d)[:, None] * directions).sum())
        projected.append((few.estimate, here))
    center = np.mean([one.value for one in everywhere])
    share = np.mean([one.low <= here <= one.high for one, here in projected])
    print(
        f"({n}, {d}): population {truth:.3f}; plain {plain:.2f}, corrected {center:.2f}, holds "
        f"{held(everywhere, truth):.2f}; in {few.dimensions} directions {np.mean([h for _, h in projected]):.3f}, "
        f"corrected {np.mean([one.value for one, _ in projected]):.3f}, holds {share:.2f}"
    )
    assert enough(share, len(projected), claimed=0.93)
    assert held(everywhere, truth) == 0 if d > n else held(everywhere, truth) > 0.7


def _directions(train, p):
    centered = train - train.mean(axis=0)
    return np.linalg.svd(centered, full_matrices=False)[2][:p].T


def test_nothing_exceeds_its_floor_more_often_than_stated_if_the_generator_is_perfect():
    runs, n, d = 600, 40, 16
    found = []
    for run in range(runs):
        rng = np.random.default_rng(run)
        kept = {"splits": 6, "replicated": 2, "seed": run}
        found.append(compared(draw(rng, n, d), draw(rng, n, d), discrepancy_and_coverage, **kept))
    above = np.mean([one[0].excess.low > 0 for one in found])
    below = np.mean([one[1].excess.high < 0 for one in found])
    print(f"perfect generator, {runs} runs: MMD above its floor {above:.4f}, coverage below it {below:.4f}")
    for alarms in (above, below):
        assert alarms * runs <= binom.ppf(0.995, runs, 0.025)


def test_many_images_of_a_patient_raise_no_alarm_that_single_images_would_not():
    """Five images of each of 40 patients; by image instead of by patient, a perfect generator raises alarms."""
    runs, d = 60, 16
    by_patient, by_image = 0, 0
    for run in range(runs):
        rng = np.random.default_rng(run)
        real = np.repeat(draw(rng, 40, d), 5, axis=0) + 0.3 * draw(rng, 200, d)
        made = draw(rng, 200, d) + 0.3 * draw(rng, 200, d)
        patients = [f"{i // 5:03d}" for i in range(200)]
        kept = {"splits": 4, "replicated": 2, "seed": run}
        by_patient += compared(real, made, neighbors, patients=patients, **kept)[0].excess.low > 0
        by_image += compared(real, made, neighbors, **kept)[0].excess.low > 0
    print(f"alarms with five images of a patient: by patient {by_patient / runs:.3f}, by image {by_image / runs:.3f}")
    assert by_patient <= binom.ppf(0.995, runs, 0.025)


@pytest.mark.parametrize(("n", "d"), [(50, 512), (100, 64)])
def test_shares_by_neighbors_are_held_at_this_number(n, d):
    runs, results = 24, []
    for run in range(runs):
        rng = np.random.default_rng(run)
        real, made = draw(rng, n, d), 0.9 * draw(rng, n, d)
        results.append(compared(real, made, shares, splits=6, replicated=3, seed=run))
    for j, name in enumerate(SHARES):
        for which in ("value", "excess"):
            found = [getattr(result[j], which) for result in results]
            share, _ = told(f"({n}, {d}) {name} {which}", found, float(np.mean([one.value for one in found])))
            given = sum(one.error > 0 for one in found)
            assert given < 10 or enough(share, given, claimed=0.9)


def sets(rng, n, d, made, real=None):
    return FeatureSets(
        train=draw(rng, n, d),
        train_patients=[f"t{i}" for i in range(n)],
        holdout=draw(rng, n, d) if real is None else real,
        holdout_patients=[f"h{i}" for i in range(n)],
        synthetic=made,
    )


def numbers(finding):
    return {estimate.name: estimate for estimate in finding.estimates}


def test_a_dropped_kind_is_found_and_precision_does_not_see_it():
    n, d, runs, alarms = 100, 16, 15, 0
    check = SynthesisCoverage(splits=8, replicated=3)
    for run in range(runs):
        rng = np.random.default_rng(run)
        real, made = draw(rng, n, d), draw(rng, n, d)
        real[:20, 0] += 6  # a fifth of the patients
        found = numbers(check(sets(rng, n, d, made, real)))
        high = found["coverage_excess"].high
        alarms += high is not None and high < 0
        lows = found["precision_excess"]
        assert lows.high is None or lows.high > -0.02
    print(f"a kind of 20 % of the patients never generated: coverage below its floor in {alarms} of {runs}")
    assert alarms >= 0.8 * runs


def test_truncated_entropy_rises_with_copies_while_all_beside_it_falls():
    n, d = 400, 128
    rng = np.random.default_rng(0)
    made, real = rng.standard_normal((2, n, d))
    check = SynthesisDiversity(splits=4, replicated=2)
    rows = []
    for distinct in (400, 100, 40, 21, 10):
        found = numbers(check(sets(rng, n, d, made[rng.integers(distinct, size=n)], real)))
        shown = [
            found[name].value for name in ("truncated_entropy", "effective_rank", "vendi_score", "distinct_images")
        ]
        rows.append(shown)
        print(f"pool of {distinct}: H_20 {shown[0]}, effective rank {shown[1]:.1f}, Vendi {shown[2]:.1f}, {shown[3]}")
    entropies = [row[0] for row in rows[:4]]
    assert entropies == sorted(entropies)
    assert rows[4][0] is None
    for column in (1, 2, 3):
        falling = [row[column] for row in rows]
        assert falling == sorted(falling, reverse=True)


def test_a_frechet_distance_falls_with_variance_where_the_discrepancy_rises():
    """Why an excess below 0 is no merit: 100 images a side, 512 features."""
    n, d = 200, 512
    for scale in (1.0, 0.95, 0.9, 0.8):
        rng = np.random.default_rng(3)
        real, made = draw(rng, n, d), scale * draw(rng, n, d)
        distance, _, discrepancy = compared(real, made, distances, splits=6, replicated=2)
        print(
            f"variance x {scale**2:.2f}: Frechet {distance.value.value:.2f} ({distance.floor.value:.2f} among real), "
            f"excess {distance.excess.low:.2f} to {distance.excess.high:.2f}; MMD excess "
            f"{discrepancy.excess.low:.4f} to {discrepancy.excess.high:.4f}"
        )
        if scale == 0.9:
            assert distance.excess.high < 0
        if scale == 0.8:
            assert discrepancy.excess.low > 0


def test_the_distance_of_two_whole_sets_is_the_one_of_their_rows():
    rng = np.random.default_rng(0)
    real, made = draw(rng, 60, 128), draw(rng, 60, 128)
    gram = Gram(torch.as_tensor(np.concatenate([real, made])))
    assert gram.frechet(np.arange(60), 60 + np.arange(60)) == pytest.approx(
        frechet_distance(torch.as_tensor(real), torch.as_tensor(made)), rel=1e-9
    )
