# SPDX-License-Identifier: Apache-2.0
"""Whether the stated power is the power: planted copies in a user's sets against copies in sets drawn anew."""

import numpy as np
import pytest
from scipy.stats import binomtest

from monai_ethics.evidence import Verdict
from monai_ethics.synthesis.data.feature_sets import FeatureSets
from monai_ethics.synthesis.data.planted_copies import PlantedCopies
from monai_ethics.synthesis.memorization_planted import MemorizationPlanted
from monai_ethics.synthesis.methods.closest import patient_minima
from monai_ethics.synthesis.methods.precedence import precedence

pytestmark = pytest.mark.slow

N, FEATURES, LEVEL = 60, 32, 0.05
SPREAD = 0.95 ** np.arange(FEATURES)
NOISE = 0.62


def draw(rng, n):
    return rng.standard_normal((n, FEATURES)) * SPREAD


def sets(train, holdout, synthetic):
    return FeatureSets(
        train=train,
        train_patients=[f"t{i}" for i in range(N)],
        holdout=holdout,
        holdout_patients=[f"h{i}" for i in range(N)],
        synthetic=synthetic,
        split_random=True,
    )


def blurred(rng, rows):
    return rows + NOISE * SPREAD * rng.standard_normal(rows.shape)


def stated(k, *, runs, seed):
    """Mean share of alarms that the check states for noisy copies of `k` patients, over sets without copies."""
    rng, shares = np.random.default_rng(seed), []
    check = MemorizationPlanted(copied_patients=(k,), repetitions=40)
    while len(shares) < runs:
        data = sets(draw(rng, N), draw(rng, N), draw(rng, 2 * N))
        copies = {"noisy": {"features": blurred(rng, data.train["features"])}}
        finding = check(PlantedCopies(sets=data, patients=data.train_patients, copies=copies))
        if finding.verdict is Verdict.MEASURED:
            shares.append(finding.estimates[-1].value)
    return float(np.mean(shares))


def real(k, *, runs, seed):
    """Alarms in sets drawn anew, with copies of `k` patients among the synthetic images; 0 patients: false alarms."""
    rng, count = np.random.default_rng(seed), 0
    patients = [f"h{i}" for i in range(N)] + [f"t{i}" for i in range(N)]
    is_member = np.array([patient.startswith("t") for patient in patients])
    for _ in range(runs):
        train = draw(rng, N)
        made = np.concatenate([draw(rng, 2 * N), blurred(rng, train[:k])])
        data = sets(train, draw(rng, N), made)
        count += precedence(patient_minima(data, patients), is_member, order_statistics=(1, 5)).p_value <= LEVEL
    return count


@pytest.mark.parametrize("k", [3, 5, 10])
def test_the_stated_power_is_the_power_in_sets_drawn_anew(k):
    runs = 600
    expected, count = stated(k, runs=60, seed=k), real(k, runs=runs, seed=100 + k)
    test = binomtest(count, runs, expected)
    print(f"noisy copies of {k} patients: stated {expected:.3f}, in {runs} sets drawn anew {count / runs:.3f}")
    assert abs(count / runs - expected) < 0.06 or test.pvalue > 0.01


def test_without_copies_alarms_stay_at_the_level():
    runs = 600
    count = real(0, runs=runs, seed=9)
    print(f"no copies: alarms {count / runs:.3f} of {runs}")
    assert binomtest(count, runs, LEVEL, alternative="greater").pvalue > 0.005
