# SPDX-License-Identifier: Apache-2.0
"""False alarms of the source probe where the class goes with the source, and its power where the source shows."""

import numpy as np
import pytest
from scipy import stats

from monai_ethics.synthesis.data.embeddings import EmbeddingTable
from monai_ethics.synthesis.source_probe import SourceProbe

pytestmark = pytest.mark.slow
CHECK = SourceProbe(permutations=99)


def table(rng, *, per_unit=1, off=0.0, n=80, one_class=False):
    made = (np.arange(n) // per_unit) % 2 == 1
    ill = rng.random(n) < np.where(made, 0.75, 0.25)
    rows = rng.standard_normal((n, 6)) + np.repeat(rng.standard_normal((n // per_unit, 6)), per_unit, axis=0)
    rows[:, 0] += 3 * ill
    rows[:, 1] += off * made
    labels = ["all"] * n if one_class else [str(each) for each in ill]
    units = [f"u{i // per_unit}" for i in range(n)]
    return EmbeddingTable(embeddings=rows, synthetic=made.tolist(), classes=labels, units=units)


def alarms(runs, seed, **kept):
    rng = np.random.default_rng(seed)
    found = [CHECK(table(rng, **kept)) for _ in range(runs)]
    return sum(next(row.value for row in finding.estimates if row.name == "p_value") <= 0.05 for finding in found)


def test_a_class_that_goes_with_the_source_raises_no_more_alarms_than_stated():
    runs = 600
    count = alarms(runs, 0)
    low, high = stats.binom.interval(0.99, runs, 0.05)
    print(f"no source in the embedding: {count / runs:.3f} of {runs}")
    assert low <= count <= high


def test_units_of_several_images_keep_the_level():
    runs = 600
    rng, count = np.random.default_rng(5), 0
    for _ in range(runs):
        data = table(rng, per_unit=4, n=160)
        data = EmbeddingTable(
            embeddings=data.embeddings, synthetic=data.synthetic, classes=["all"] * 160, units=data.units
        )
        rows = np.array(data.embeddings)
        rows[:, 0] = rng.standard_normal(160)  # no class here
        data = EmbeddingTable(embeddings=rows, synthetic=data.synthetic, classes=data.classes, units=data.units)
        count += next(row.value for row in CHECK(data).estimates if row.name == "p_value") <= 0.05
    low, high = stats.binom.interval(0.99, runs, 0.05)
    print(f"units of four images: {count / runs:.3f} of {runs}")
    assert low <= count <= high


def test_a_source_that_shows_is_found_and_without_the_class_the_class_is_taken_for_it():
    runs = 100
    shown, careless = alarms(runs, 1, off=2.0), alarms(runs, 2, one_class=True)
    print(f"source shows: {shown / runs:.2f}; no source, class not taken off: {careless / runs:.2f}")
    assert shown / runs > 0.8
    assert careless / runs > 0.5
