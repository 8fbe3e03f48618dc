# SPDX-License-Identifier: Apache-2.0
"""How often the membership test raises an alarm: without copies no more often than stated, with copies nearly always.

Patients are normal vectors of 64 features whose spread falls slowly, as features of images do. A share of false
alarms is accepted if it lies within the two-sided 99 % limits of the binomial at the rate that is exact for the test.
The test is computed from distances directly; that the check computes the same stands in the first test.
"""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import binomtest

from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.memorization_membership import MemorizationMembership
from monai_ethics.synthesis.methods.precedence import joint_p_value, precedence, precedence_p_values

pytestmark = pytest.mark.slow

N, FEATURES, RUNS, LEVEL = 100, 64, 600, 0.05
SPREAD = 0.98 ** np.arange(FEATURES)
FLIP = np.where(np.arange(FEATURES) % 2 == 0, 1.0, -1.0)  # an image flipped is as likely as the image
CHECK = MemorizationMembership()
ORDERS = CHECK.order_statistics


def draw(rng, n, *, spread=1.0):
    return rng.standard_normal((n, FEATURES)) * SPREAD * spread


def perfect(rng, train):
    return draw(rng, 2 * N)


def smooth(variance):
    def generate(rng, train):
        return draw(rng, 2 * N, spread=np.sqrt(variance))

    generate.__name__ = f"variance x {variance}"
    return generate


def blurred(rng, train):
    return draw(rng, 2 * N) * np.where(np.arange(FEATURES) < 16, 1, 0.1)


def wide(rng, train):
    return draw(rng, 2 * N, spread=1.5)


def collapsed(rng, train):
    return 0.3 * draw(rng, 2 * N) + draw(rng, 1)


def copying(copies, *, noise=0.02, flip=False):
    def generate(rng, train):
        made = draw(rng, 2 * N)
        taken = train[rng.choice(len(train), copies, replace=False)]
        made[:copies] = taken * (FLIP if flip else 1) + noise * draw(rng, copies)
        return made

    return generate


def conditioned(rng, sources):
    """Two images of each source that share its coarse quarter, as an image made from a patient's mask does."""
    made = draw(rng, 2 * len(sources))
    made[:, : FEATURES // 4] = np.tile(sources, (2, 1))[:, : FEATURES // 4]
    return made


def sets(train, holdout, synthetic, **kept):
    return FeatureSets(
        train=train,
        train_patients=[f"t{i:03d}" for i in range(len(train))],
        holdout=holdout,
        holdout_patients=[f"h{i:03d}" for i in range(len(holdout))],
        synthetic=synthetic,
        **{"split_random": True, **kept},
    )


def compared(train, holdout, synthetic, *, orders=ORDERS):
    minima = cdist(np.vstack([train, holdout]), synthetic).min(axis=1)
    labels = np.arange(len(minima)) < len(train)
    return precedence(minima[:, None], labels, order_statistics=orders)


def alarms(generate, *, runs=RUNS, seed=0, orders=ORDERS):
    rng, count = np.random.default_rng(seed), 0
    for _ in range(runs):
        train = draw(rng, N)
        count += compared(train, draw(rng, N), generate(rng, train), orders=orders).p_value <= LEVEL
    return count


def attainable(members, others, orders=ORDERS):
    """The exact chance of a p-value of at most the level: below it, since counts are whole."""
    smallest = np.unique([precedence_p_values(members, others, order=order) for order in orders])
    chances = [joint_p_value(members, others, orders=orders, smallest=value) for value in smallest]
    return max(chance for chance in chances if chance <= LEVEL)


def within(count, runs, rate):
    return binomtest(int(count), runs, rate).pvalue > 0.01


def p_value(finding):
    return next(estimate.value for estimate in finding.estimates if estimate.name == "p_value")


def test_the_check_computes_what_is_simulated_here():
    rng = np.random.default_rng(1)
    for copies in (0, 4, 8):
        train, holdout = draw(rng, N), draw(rng, N)
        synthetic = copying(copies)(rng, train)
        assert p_value(CHECK(sets(train, holdout, synthetic))) == compared(train, holdout, synthetic).p_value


GENERATORS = [perfect, smooth(0.95), smooth(0.9), smooth(0.8), blurred, wide, collapsed]


@pytest.mark.parametrize(("seed", "generate"), [*enumerate(GENERATORS, start=20)])
def test_false_alarms_are_as_stated_whatever_the_quality_of_the_generator(seed, generate):
    count = alarms(generate, seed=seed)
    print(f"\n{generate.__name__}: {count / RUNS:.3f} of {RUNS}, exact {attainable(N, N):.3f}")
    assert within(count, RUNS, attainable(N, N))


def test_power_for_three_five_and_ten_copied_patients_by_order_statistics():
    runs = 100
    for orders in ((1,), (1, 5), (1, 2, 5)):
        power = {copies: alarms(copying(copies), runs=runs, seed=2, orders=orders) / runs for copies in (3, 5, 10)}
        noisy = alarms(copying(20, noise=1.0), runs=runs, seed=3, orders=orders) / runs
        print(f"\n{orders}: power for copies {power}; 20 copies with as much noise as image {noisy:.2f}")
        if orders == ORDERS:
            assert power[10] > 0.95
            assert power[5] > 0.95
            assert power[3] < 0.5, "below the smallest detectable number, and the finding says so"
            assert noisy > 0.4


def test_flipped_copies_are_seen_with_views_at_the_same_level():
    rng, runs, found, plain, false = np.random.default_rng(4), 100, 0, 0, 0
    for copies in (0, 10):
        for _ in range(runs if copies else 3 * runs):
            train, holdout = draw(rng, N), draw(rng, N)
            made = copying(copies, flip=True)(rng, train)
            near = np.vstack([train, holdout])
            seen = np.minimum(cdist(near, made), cdist(near * FLIP, made)).min(axis=1)
            alarm = precedence(seen[:, None], np.arange(2 * N) < N, order_statistics=ORDERS).p_value <= LEVEL
            found, false = found + (alarm and copies > 0), false + (alarm and not copies)
            plain += copies > 0 and compared(train, holdout, made).p_value <= LEVEL
    print(f"\n10 flipped copies: with views {found / runs:.2f}, without {plain / runs:.2f}", end="")
    print(f"; no copies, with views {false / (3 * runs):.3f}")
    assert found / runs > 0.95
    assert plain / runs < 0.2
    assert within(false, 3 * runs, attainable(N, N))


def test_three_spaces_in_one_test_hold_the_level_and_the_best_of_three_does_not():
    rng, best, joint = np.random.default_rng(5), 0, 0
    parts = np.split(np.arange(FEATURES), [16, 40])
    labels = np.arange(2 * N) < N
    for _ in range(RUNS):
        real, made = draw(rng, 2 * N), draw(rng, 2 * N)
        minima = np.stack([cdist(real[:, part], made[:, part]).min(axis=1) for part in parts], axis=1)
        apart = [precedence(column[:, None], labels, order_statistics=ORDERS).p_value for column in minima.T]
        together = precedence(minima, labels, order_statistics=ORDERS, permutations=199, seed=_).p_value
        best, joint = best + (min(apart) <= LEVEL), joint + (together <= LEVEL)
    print(f"\nthree spaces: max-T {joint / RUNS:.3f}, best of three {best / RUNS:.3f}")
    assert within(joint, RUNS, LEVEL)
    assert best / RUNS > 0.08


def test_the_split_may_differ_between_sites():
    rng, count, runs = np.random.default_rng(6), 0, 300
    for _ in range(runs):
        # the second site gave most of its patients to training, and its images are nearer to the generator's
        site = np.repeat([0, 1], N)
        labels = np.concatenate([rng.permutation(N) < 30, rng.permutation(N) < 70])
        real = draw(rng, 2 * N) + 2 * site[:, None] * SPREAD
        minima = cdist(real, draw(rng, N) + 2 * SPREAD).min(axis=1)
        strata = [str(name) for name in site]
        count += (
            precedence(
                minima[:, None], labels, strata=strata, order_statistics=ORDERS, permutations=199, seed=_
            ).p_value
            <= LEVEL
        )
    print(f"\ntwo sites with unequal shares in training: {count / runs:.3f} of {runs}")
    assert within(count, runs, LEVEL)


def conditioned_alarms(*, patients, sources, runs, seed, copies=0):
    """Alarms among all patients, and among those whose input was given to the generator."""
    rng, pooled, restricted = np.random.default_rng(seed), 0, 0
    for _ in range(runs):
        train, holdout = draw(rng, patients[0]), draw(rng, patients[1])
        given = [train[: sources[0]], holdout[: sources[1]]]
        made = conditioned(rng, np.vstack(given))
        made[:copies] = train[:copies] + 0.02 * draw(rng, copies)
        pooled += compared(train, holdout, made).p_value <= LEVEL
        restricted += compared(*given, made).p_value <= LEVEL
    return pooled / runs, restricted / runs


def test_a_conditioned_generator_keeps_the_level_among_patients_whose_input_it_was_given():
    pooled, ours = conditioned_alarms(patients=(60, 200), sources=(40, 40), runs=RUNS, seed=7)
    print(f"\n40 of 60 training and 40 of 200 held-out inputs: all patients {pooled:.3f}, those given {ours:.3f}")
    assert within(round(ours * RUNS), RUNS, attainable(40, 40))
    assert pooled > 0.2
    _, power = conditioned_alarms(patients=(60, 200), sources=(40, 40), runs=100, seed=8, copies=10)
    print(f"the same, 10 of those given copied: {power:.2f}")
    assert power > 0.95


def test_unequal_numbers_of_inputs_accuse_without_any_copy_and_are_not_assessed():
    runs = 100
    pooled, _ = conditioned_alarms(patients=(N, N), sources=(N, N // 4), runs=runs, seed=9)
    print(f"\n100 training and 25 held-out inputs, not declared: {pooled:.2f}")
    assert pooled > 0.5
    rng = np.random.default_rng(0)
    train, holdout = draw(rng, N), draw(rng, N)
    made = conditioned(rng, np.vstack([train, holdout[:25]]))
    given = [f"t{i:03d}" for i in range(N)] + [f"h{i:03d}" for i in range(25)]
    assert CHECK(sets(train, holdout, made, synthetic_sources=given * 2)).verdict is Verdict.NOT_ASSESSABLE
    assert CHECK(sets(train, holdout, made, conditioned_on_train=True)).verdict is Verdict.NOT_ASSESSABLE
    equal = [*given[:25], *given[N:]]
    half = conditioned(rng, np.vstack([train[:25], holdout[:25]]))
    assert CHECK(sets(train, holdout, half, synthetic_sources=equal * 2)).verdict is Verdict.MEASURED


def test_a_holdout_of_another_site_would_raise_alarms_and_is_not_assessed():
    rng, runs, count = np.random.default_rng(6), 100, 0
    for _ in range(runs):
        count += compared(draw(rng, N), draw(rng, N) + SPREAD, draw(rng, 2 * N)).p_value <= LEVEL
    print(f"\nholdout of another site, declared random: {count / runs:.2f}")
    assert count / runs > 0.2
    shifted = sets(draw(rng, N), draw(rng, N) + SPREAD, draw(rng, 2 * N), split_random=False)
    assert CHECK(shifted).verdict is Verdict.NOT_ASSESSABLE


def test_a_duplicate_between_training_and_holdout_does_not_calm_the_test():
    rng, runs = np.random.default_rng(7), 20
    checks = {
        "duplicates left out": CHECK,
        "left in": MemorizationMembership(duplicate_ratio=0.0),
        "left in, nearest only": MemorizationMembership(duplicate_ratio=0.0, order_statistics=(1,)),
    }
    counts = dict.fromkeys(checks, 0)
    for _ in range(runs):
        train, holdout = draw(rng, N), draw(rng, N)
        holdout[0] = train[0] + 1e-6 * SPREAD
        synthetic = copying(10)(rng, train)
        synthetic[-1] = train[0]  # the duplicate is copied too
        for name, check in checks.items():
            counts[name] += p_value(check(sets(train, holdout, synthetic))) <= LEVEL
    print(f"\n5 % copies and one duplicate, alarms of {runs}: {counts}")
    assert counts["duplicates left out"] == runs
    assert counts["left in, nearest only"] < 0.1 * runs
