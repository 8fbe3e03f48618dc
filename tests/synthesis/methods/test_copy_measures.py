# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu

from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.methods.copy_measures import (
    above_correlation,
    authentic,
    cells_of,
    copying_z,
    copying_z_of_halves,
)

ZEROS = np.zeros(300, dtype=np.int64)


def drawn(seed, *, n=300, d=12):
    return np.random.default_rng(seed).standard_normal((3, n, d))


def released_authenticity(synthetic, real):
    """As released with the paper and taken over since: per real row, indexed by the rows of the other set."""
    between = cdist(real, real)
    np.fill_diagonal(between, np.inf)
    to_synthetic = cdist(real, synthetic)
    misaligned = between.min(axis=1)[to_synthetic.argmin(axis=1)]
    return float((misaligned < to_synthetic.min(axis=1)).mean())


def test_authenticity_follows_the_definition():
    train, _, synthetic = drawn(0)
    between = cdist(train, train)
    np.fill_diagonal(between, np.inf)
    near = cdist(synthetic, train)
    expected = near.min(axis=1) > between.min(axis=1)[near.argmin(axis=1)]
    np.testing.assert_array_equal(authentic(synthetic, train), expected)
    assert not authentic(train[:5], train).any()


def test_the_released_authenticity_depends_on_the_number_of_images_and_ours_does_not():
    rng = np.random.default_rng(0)
    train = rng.standard_normal((1000, 64)) * 0.98 ** np.arange(64)
    made = rng.standard_normal((1000, 64)) * 0.98 ** np.arange(64)
    theirs = [released_authenticity(made[:n], train) for n in (1000, 300)]
    ours = [float(authentic(made[:n], train).mean()) for n in (1000, 300)]
    print(f"authenticity without copies of 1000 and of 300 images: released {theirs}, per image {ours}")
    assert theirs[1] - theirs[0] > 0.1
    assert abs(ours[1] - ours[0]) < 0.05


def test_a_rate_against_the_median_distance_is_a_half_without_any_copy():
    """The share of images nearer to training than the median real image: a name for it is memorization."""
    rng = np.random.default_rng(1)
    train, real, made = rng.standard_normal((3, 1000, 64)) * 0.98 ** np.arange(64)
    copied = made.copy()
    copied[:10] = train[:10]
    median = np.median(cdist(real, train).min(axis=1))
    rates = [float((cdist(rows, train).min(axis=1) < median).mean()) for rows in (made, copied)]
    print(f"share nearer than the median real image: no copy {rates[0]:.3f}, 1 % copies {rates[1]:.3f}")
    assert rates[0] == pytest.approx(0.5, abs=0.06)
    assert rates[1] - rates[0] < 0.02


def test_the_correlation_threshold_is_the_percentile_of_training_against_held_out():
    train, holdout, synthetic = drawn(2)
    synthetic[:9] = 3 * train[:9] + 2  # correlation is blind to gain and offset
    full = np.corrcoef(np.vstack([train, holdout]))[:300, 300:].max(axis=1)
    threshold, (made, real) = above_correlation((synthetic, holdout), train, holdout, percentile=95)
    assert threshold == pytest.approx(np.percentile(full, 95), abs=1e-12)
    expected = np.corrcoef(np.vstack([synthetic, train]))[:300, 300:].max(axis=1) > threshold
    np.testing.assert_array_equal(made, expected)
    assert made[:9].all()
    assert real.mean() < 0.15


def test_constant_rows_have_no_correlation():
    train, holdout, synthetic = drawn(3)
    synthetic[0] = 7.0
    _, (made, _) = above_correlation((synthetic, holdout), train, holdout, percentile=1)
    assert not made[0]
    assert above_correlation((synthetic,), train[:, :2], holdout[:, :2], percentile=95) is None
    assert above_correlation((synthetic,), np.ones((5, 4)), holdout[:, :4], percentile=95) is None


def test_copying_z_is_the_mann_whitney_score_of_each_cell():
    rng = np.random.default_rng(4)
    made, real = rng.random(300), rng.random(300)
    expected = mannwhitneyu(made, real).statistic
    score = copying_z(made, real, synthetic_cells=ZEROS, holdout_cells=ZEROS)
    assert score == pytest.approx((expected - 300 * 300 / 2) / np.sqrt(300 * 300 * 601 / 12))
    assert copying_z(made - 1, real, synthetic_cells=ZEROS, holdout_cells=ZEROS) < -10
    assert copying_z(made[:4], real, synthetic_cells=ZEROS[:4], holdout_cells=ZEROS) is None


def test_halves_of_held_out_patients_have_scores_around_zero():
    rng = np.random.default_rng(5)
    scores = copying_z_of_halves(rng.random(300), ZEROS, [str(i) for i in range(300)], splits=200, seed=0)
    assert abs(scores.mean()) < 0.3
    assert 0.7 < scores.std() < 1.3
    assert len(copying_z_of_halves(rng.random(4), ZEROS[:4], ["a", "b", "c", "d"], splits=5, seed=0)) == 0


def test_cells_are_the_groups_of_training_images():
    train, holdout, synthetic = drawn(6, n=60)
    train[:30] += 20
    holdout[:10] += 20
    sets = FeatureSets(
        train=train,
        train_patients=[f"t{i}" for i in range(60)],
        holdout=holdout,
        holdout_patients=[f"h{i}" for i in range(60)],
        synthetic=synthetic,
    )
    cells = cells_of(sets, cells=2, seed=0)
    assert len(set(cells["holdout"][:10])) == len(set(cells["holdout"][10:])) == 1
    assert cells["holdout"][0] != cells["holdout"][20]
    assert set(cells["synthetic"]) == {cells["holdout"][20]}
