# SPDX-License-Identifier: Apache-2.0
"""Ten looks at one generator raise a false alarm as rarely as one look does."""

import numpy as np
import pytest
from scipy.stats import binom

from monai_ethics.synthesis.memorization_looks import Look, Looks
from monai_ethics.synthesis.methods.precedence import precedence_p_values

pytestmark = pytest.mark.slow
RUNS, PATIENTS, LOOKS, IMAGES, WIDTH, LEVEL = 600, 100, 10, 32, 8, 0.05
CHANCES = precedence_p_values(PATIENTS, PATIENTS)


def nearest(real, synthetic):
    return np.sqrt(((real[:, None] - synthetic[None]) ** 2).sum(axis=-1)).min(axis=1)


def training(rng, *, drift, copied=0):
    """Looks at a generator whose images move by `drift` of their spread from look to look."""
    train, holdout = rng.standard_normal((2, PATIENTS, WIDTH))
    images = rng.standard_normal((IMAGES, WIDTH))
    taken = []
    for epoch in range(LOOKS):
        fresh = rng.standard_normal((IMAGES, WIDTH))
        images = np.sqrt(1 - drift**2) * images + drift * fresh
        shown = images.copy()
        if epoch >= LOOKS // 2:
            shown[:copied] = train[:copied] + 0.01 * rng.standard_normal((copied, WIDTH))
        closer = int((nearest(train, shown) < nearest(holdout, shown).min()).sum())
        taken.append(Look(epoch=epoch, images=IMAGES, p_value=float(CHANCES[closer]), closer=closer))
    return Looks(planned=LOOKS, taken=taken, members=PATIENTS, others=PATIENTS)


def rates(drift, copied=0, runs=RUNS):
    rng = np.random.default_rng(11)
    made = [training(rng, drift=drift, copied=copied) for _ in range(runs)]
    alarm = np.mean([bool(looks.alarms(LEVEL)) for looks in made])
    naive = np.mean([any(look.p_value <= LEVEL for look in looks.taken) for looks in made])
    return float(alarm), float(naive)


@pytest.mark.parametrize("drift", [1.0, 0.2], ids=["new images", "nearly the same images"])
def test_all_looks_together_keep_the_level_and_single_looks_do_not(drift):
    alarm, naive = rates(drift)
    print(f"drift {drift}: planned looks {alarm:.3f}, each look at {LEVEL}: {naive:.3f}")
    assert alarm <= binom.ppf(0.995, RUNS, LEVEL) / RUNS
    assert naive > binom.ppf(0.995, RUNS, LEVEL) / RUNS


def test_copies_of_enough_patients_raise_an_alarm():
    power = {copied: rates(0.2, copied=copied, runs=100)[0] for copied in (5, 8, 12)}
    print(f"power by copied patients: {power}")
    assert power[12] > 0.95
    assert power[12] >= power[5]
