# SPDX-License-Identifier: Apache-2.0
"""Differential fairness, and multi-class accuracy by a random attribute: false alarms, and power."""

import numpy as np
import pytest
from scipy import stats

from monai_ethics.fairness.data.binary import BinaryScores
from monai_ethics.fairness.data.classes import ClassScores
from monai_ethics.fairness.differential_fairness import DifferentialFairness
from monai_ethics.fairness.methods.comparison import holm
from monai_ethics.fairness.methods.epsilon import smoothed_epsilon
from monai_ethics.fairness.rate_gap import RateGap
from monai_ethics.statistics.exchange import count_rows, exchanged_sums

pytestmark = pytest.mark.slow
REPLICATES, DRAWS = 600, 499


def limits(level):
    """Rejections of a test of this level that are seen in 99 of 100 series."""
    return stats.binom.interval(0.99, REPLICATES, level)


def decided(rng, patients, rates, images, icc=0.5):
    """Decisions on several images a patient: beta-binomial with this correlation within patients."""
    labels, owners, chosen = [], [], []
    for g, (n, rate, per) in enumerate(zip(patients, rates, images, strict=True)):
        scale = (1 - icc) / icc
        own = rng.beta(rate * scale, (1 - rate) * scale, n) if per > 1 else np.full(n, rate)
        chosen += (rng.random((n, per)) < own[:, None]).ravel().tolist()
        owners += [f"{g}-{i}" for i in range(n) for _ in range(per)]
        labels += [str(g)] * (n * per)
    keys = tuple(str(i) for i in range(len(labels)))
    return BinaryScores(
        target="t",
        cases=keys,
        patients=tuple(owners),
        y_true=(True,) * len(keys),
        y_pred=tuple(chosen),
        decided_by="drawn",
        groups={"g": tuple(labels)},
    )


NULLS = {
    "five groups of 30": ((30,) * 5, (1,) * 5),
    "eight groups of 100": ((100,) * 8, (1,) * 8),
    "unequal n": ((100, 40, 12), (1,) * 3),
    "four images a patient": ((40, 40, 20), (4,) * 3),
    "four images a patient in one group alone": ((60, 60), (1, 4)),
}


@pytest.mark.parametrize("name", NULLS)
def test_differential_fairness_alarms_in_one_of_20_null_data_sets(name):
    patients, images = NULLS[name]
    rng = np.random.default_rng([sum(patients), *images])
    alarms = beyond = 0
    attainable = []
    for replicate in range(REPLICATES):
        data = decided(rng, patients, (0.35,) * len(patients), images)
        found = DifferentialFairness(n_permutations=DRAWS, seed=replicate).compare(data)
        alarms += found.p <= 0.05
        beyond += found.chance.epsilon > found.chance.null_95th
        rows, observed = count_rows([np.column_stack([group.tops, group.bottoms]) for group in found.rates.judged[0]])
        own = np.random.default_rng(replicate)
        sums = np.concatenate(list(exchanged_sums(observed, rows, n_permutations=DRAWS, rng=own)))
        null = smoothed_epsilon(sums[1:, :, 0], sums[1:, :, 1])
        attainable.append(np.mean(null > found.chance.null_95th))
    print(f"\n{name}: alarms {alarms / REPLICATES:.3f}, epsilon beyond its null {beyond / REPLICATES:.3f}", end=" ")
    print(f"(attainable {np.mean(attainable):.3f})")
    assert limits(0.05)[0] <= alarms <= limits(0.05)[1]
    if len(set(images)) == 1:  # otherwise groups of patients are not exchangeable, and only the test is studentised
        low, high = limits(np.mean(attainable))
        assert low <= beyond <= high


def test_patients_seen_in_every_group_raise_no_more_alarms():
    """Two images of each patient in each of two views: what a patient's images share is counted once."""
    rng = np.random.default_rng(7)
    alarms = beyond = 0
    for replicate in range(REPLICATES):
        data = decided(rng, (80,), (0.35,), (4,))
        seen = data.with_groups({"g": ("AP", "PA") * 160})
        found = DifferentialFairness(n_permutations=DRAWS, seed=replicate).compare(seen)
        alarms += found.p <= 0.05
        beyond += found.chance.epsilon > found.chance.null_95th
    print(f"\nalarms {alarms / REPLICATES:.3f}, epsilon beyond its null {beyond / REPLICATES:.3f}")
    low, high = limits(0.05)
    assert low <= alarms <= high
    assert low <= beyond <= high


def test_a_planted_factor_is_found():
    rng = np.random.default_rng(5)
    check = DifferentialFairness(n_permutations=DRAWS)
    alone, clustered = (
        np.mean(
            [check.compare(decided(rng, (60,) * 4, (0.3, 0.3, 0.3, 0.6), (per,) * 4)).p <= 0.05 for _ in range(100)]
        )
        for per in (1, 4)
    )
    print(f"\npower {alone:.2f} with one image a patient, {clustered:.2f} with four")
    assert alone > 0.85
    assert clustered > alone  # four correlated images say more than one, and not as much as four patients


def classified(rng, n, groups, *, worse=0.0):
    """Four classes of unequal size and difficulty; the attribute is drawn at random."""
    share, right = np.array([0.5, 0.3, 0.15, 0.05]), np.array([0.9, 0.75, 0.6, 0.4])
    label = rng.integers(0, groups, n)
    truth = rng.choice(4, n, p=share)
    hit = rng.random(n) < right[truth] - worse * (label == 0)
    found = np.where(hit, truth, (truth + rng.integers(1, 4, n)) % 4)
    keys = tuple(str(i) for i in range(n))
    return ClassScores(
        target="t",
        cases=keys,
        patients=keys,
        classes=("a", "b", "c", "d"),
        y_true=tuple("abcd"[i] for i in truth),
        y_pred=tuple("abcd"[i] for i in found),
        decided_by="drawn",
        groups={"g": tuple(str(i) for i in label)},
    )


def test_a_random_attribute_shows_no_gap_of_several_classes():
    """veritastool #55: there a random attribute did not come out even for several classes."""
    rng = np.random.default_rng(11)
    accuracy = anywhere = uncorrected = 0
    for replicate in range(REPLICATES):
        data = classified(rng, 300, 3)
        wanted = [("accuracy", data.top_one()), *(("tpr", table) for table in data.one_vs_rest())]
        found = [RateGap(rate=rate, n_permutations=DRAWS, seed=replicate).compare(table) for rate, table in wanted]
        p = [item.p for item in found if item.p is not None]
        accuracy += p[0] <= 0.05
        anywhere += min(holm(p)) <= 0.05
        uncorrected += min(p) <= 0.05
    print(
        f"\naccuracy {accuracy / REPLICATES:.3f}, any of accuracy and rates by class {anywhere / REPLICATES:.3f}",
        end="",
    )
    print(f", without correction {uncorrected / REPLICATES:.3f}")
    low, high = limits(0.05)
    assert low <= accuracy <= high
    assert low / 2 <= anywhere <= high
    assert uncorrected > high


def test_a_group_that_is_classified_worse_is_found():
    rng = np.random.default_rng(12)
    check = RateGap(rate="accuracy", n_permutations=DRAWS)
    power = np.mean([check.compare(classified(rng, 300, 2, worse=0.2).top_one()).p <= 0.05 for _ in range(100)])
    print(f"\npower {power:.2f}")
    assert power > 0.85
