# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from monai_ethics.cohort import FaultyGenerator
from monai_ethics.errors import InputError


@pytest.fixture(scope="module")
def reference(small_cohort):
    return small_cohort(n=40)


def make(reference, **faults):
    return FaultyGenerator(reference=reference, training=range(20), n=20, **faults)


def test_planted_copies_are_training_images_with_a_little_noise(reference):
    generator = make(reference, copies=0.2)
    assert len(generator.copied) == 4
    for index, original in generator.copied.items():
        sample, source = generator[index], reference[original]
        assert original < 20
        assert sample.copy_of == source.subject_id
        assert not np.array_equal(sample.image, source.image)
        assert np.corrcoef(sample.image.ravel(), source.image.ravel())[0, 1] > 0.999


@pytest.mark.slow
def test_samples_that_are_no_copies_are_nobody_of_the_reference_cohort(reference):
    generator = make(reference)
    images = np.stack([s.image.ravel() for s in reference])
    for sample in (generator[0], generator[7]):
        assert sample.copy_of is None
        assert (images == sample.image.ravel()).all(1).sum() == 0


@pytest.mark.slow
def test_every_sample_is_declared_synthetic_and_follows_from_its_position(reference):
    generator = make(reference, copies=0.2, blur=0.5, hallucinate=0.3)
    assert {s.source for s in generator} == {"synthetic"}
    assert generator[3].image.tobytes() == make(reference, copies=0.2, blur=0.5, hallucinate=0.3)[3].image.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize(("dropped", "key"), [("F", "sex"), ("65+", "age_band"), ("B", "site")])
def test_a_dropped_mode_never_appears(reference, dropped, key):
    generator = make(reference, mode_drop=dropped, copies=0.3)
    assert dropped not in {s.attributes[key] for s in generator}


def test_blur_removes_detail(reference):
    def detail(subject):
        return np.abs(np.diff(subject.image[0], axis=0)).mean()

    assert detail(make(reference, blur=2.0)[0]) < 0.8 * detail(make(reference)[0])


@pytest.mark.slow
def test_a_hallucinated_statement_contradicts_the_mask(reference):
    for sample in make(reference, hallucinate=1.0):
        assert sample.attributes["lesion"] != int(sample.label.any())


@pytest.mark.parametrize(
    ("faults", "message"), [({"copies": 1.1}, "lie in"), ({"mode_drop": "X"}, "mode_drop"), ({"blur": -1}, "lie in")]
)
def test_an_impossible_fault_is_refused(reference, faults, message):
    with pytest.raises(InputError, match=message):
        make(reference, **faults)


def test_an_empty_training_set_is_refused(reference):
    with pytest.raises(InputError, match="training subject"):
        FaultyGenerator(reference=reference, training=(), n=3)
