# SPDX-License-Identifier: Apache-2.0
"""What the comparison of synthetic with held-out images answers to: copies, and much else.

The same generators as for the membership test, whose figures stand beside these in its page.
"""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import binomtest

from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.memorization_proximity import MemorizationProximity
from monai_ethics.synthesis.methods.precedence import precedence, precedence_p_values

pytestmark = pytest.mark.slow

N, FEATURES, RUNS, LEVEL = 100, 64, 600, 0.05
SPREAD = 0.98 ** np.arange(FEATURES)
P_VALUE = "p_value_closer_to_training_than_real_images_are"


def draw(rng, n, *, spread=1.0):
    return rng.standard_normal((n, FEATURES)) * SPREAD * spread


def p_of(train, holdout, synthetic):
    distances = cdist(np.vstack([synthetic, holdout]), train).min(axis=1)
    return precedence(distances[:, None], np.arange(len(distances)) < len(synthetic)).p_value


def alarms(*, variance=1.0, copies=0, shift=0.0, coarse=False, runs=RUNS, seed=0):
    rng, count = np.random.default_rng(seed), 0
    for _ in range(runs):
        train, holdout, made = draw(rng, N), draw(rng, N) + shift * SPREAD, draw(rng, 2 * N, spread=variance**0.5)
        made[:copies] = train[:copies] + 0.02 * draw(rng, copies)
        if coarse:
            made[:, :16] = np.tile(train, (2, 1))[:, :16]
        count += p_of(train, holdout, made) <= LEVEL
    return count / runs


def sets(train, holdout, synthetic):
    return FeatureSets(
        train=train,
        train_patients=[f"t{i:03d}" for i in range(len(train))],
        holdout=holdout,
        holdout_patients=[f"h{i:03d}" for i in range(len(holdout))],
        synthetic=synthetic,
        split_random=True,
    )


def numbers(finding):
    return {estimate.name: estimate.value for estimate in finding.estimates}


def test_the_check_computes_what_is_simulated_here():
    rng = np.random.default_rng(1)
    train, holdout, made = draw(rng, N), draw(rng, N), draw(rng, 2 * N)
    found = numbers(MemorizationProximity(splits=1)(sets(train, holdout, made)))
    assert found[P_VALUE] == p_of(train, holdout, made)


def test_it_holds_its_level_for_a_perfect_generator_only():
    table = precedence_p_values(2 * N, N)
    exact = float(table[table <= LEVEL].max())
    null = alarms()
    smooth = {variance: alarms(variance=variance, seed=1) for variance in (0.95, 0.9, 0.8)}
    given, site = alarms(coarse=True, runs=100), alarms(shift=1.0, runs=100)
    print(f"\nno copies: perfect {null:.3f} (exact {exact:.3f}); variance {smooth}; conditioned {given:.2f}", end="")
    print(f"; holdout of another site {site:.2f}; 10 copies {alarms(copies=10, runs=100):.2f}")
    assert binomtest(round(null * RUNS), RUNS, exact).pvalue > 0.01
    assert smooth[0.95] > exact
    assert smooth[0.8] > 0.3
    assert given > 0.9


def test_the_published_measures_without_and_with_one_and_twenty_percent_of_copies():
    rng, n, check = np.random.default_rng(3), 500, MemorizationProximity(splits=19)
    names = ("outlying_images", "authenticity", "correlation_above_threshold", "copying_z")
    table = {}
    train, holdout, made = draw(rng, n), draw(rng, n), draw(rng, n)
    for copies in (0, 5, 100):
        copied = made.copy()
        copied[:copies] = train[:copies] + 0.02 * draw(rng, copies)
        found = numbers(check(sets(train, holdout, copied)))
        table[copies] = {name: (round(found[name], 3), round(found[f"{name}_floor"], 3)) for name in names}
        print(f"\n{copies} copies of {n}, value and floor: {table[copies]}", end="")
    for name in names[1:3]:
        assert abs(table[0][name][0] - table[0][name][1]) < 0.06, "without copies the value is the floor"
        assert abs(table[5][name][0] - table[0][name][0]) < 0.02, "one percent of copies moves it hardly"
    assert table[5]["outlying_images"] == (0.01, 0.0)
    assert table[5]["copying_z"][0] > table[5]["copying_z"][1], "1 % copies are no matter to a rank test"
    assert table[100]["copying_z"][0] < table[100]["copying_z"][1]
