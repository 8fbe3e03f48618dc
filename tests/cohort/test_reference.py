# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from monai_ethics.cohort import Bias, Lesions
from monai_ethics.errors import InputError

ALWAYS = Lesions(prevalence=1.0)


def lesion_contrast(subject):
    """Mean of the lesion over the mean of the rest of the brain."""
    image, lesion = subject.image, subject.label > 0
    return image[lesion].mean() / image[(image > 0) & ~lesion].mean()


def test_a_subject_is_the_same_in_a_cohort_of_any_size(small_cohort):
    few, many = small_cohort(n=5, seed=3), small_cohort(n=80, seed=3)
    for i in (0, 3, 4):
        assert few[i].image.tobytes() == many[i].image.tobytes()
        assert few[i].label.tobytes() == many[i].label.tobytes()
        assert few[i].attributes == many[i].attributes


def test_a_subject_does_not_depend_on_what_was_made_before(small_cohort):
    cohort = small_cohort(n=5)
    first = cohort[2].image
    torch.manual_seed(9)
    list(cohort)
    assert cohort[2].image.tobytes() == first.tobytes()


def test_another_seed_makes_other_people(small_cohort):
    assert not np.array_equal(small_cohort(n=1, seed=0)[0].image, small_cohort(n=1, seed=1)[0].image)


def test_a_slice_has_a_channel_an_affine_in_millimeters_and_black_surroundings(small_cohort):
    subject = small_cohort(n=1, lesions=ALWAYS)[0]
    assert subject.image.shape == subject.label.shape == (1, 64, 64)
    assert (subject.image.dtype, subject.label.dtype) == (np.float32, np.uint8)
    assert subject.affine[0, 0] == pytest.approx(236 / 64)
    assert subject.image[0, 0].max() == 0
    assert 0.2 < (subject.image > 0).mean() < 0.6


def test_the_source_is_never_called_real(small_cohort):
    assert small_cohort(n=1)[0].source == "reference"


def test_a_volume_is_made_from_three_lengths(small_cohort):
    subject = small_cohort(n=2, size=(32, 32, 32), lesions=ALWAYS)[1]
    assert subject.image.shape == (1, 32, 32, 32)
    assert subject.label.any()
    assert subject.affine.shape == (4, 4)


@pytest.mark.parametrize("contrast", ["T1w", "T2w", "FLAIR"])
def test_every_contrast_gives_finite_images(small_cohort, contrast):
    assert np.isfinite(small_cohort(n=1, contrast=contrast)[0].image).all()


def test_the_stated_lesion_agrees_with_the_mask(small_cohort):
    for subject in small_cohort(n=12):
        assert subject.attributes["lesion"] == int(subject.label.any())
        assert subject.attributes["lesion_voxels"] == subject.label.sum()


@pytest.mark.slow
def test_contrast_bias_lowers_the_contrast_of_women_only_and_moves_nothing_else(small_cohort):
    plain = small_cohort(n=30, lesions=ALWAYS)
    biased = replace(plain, bias=Bias(contrast=0.4))
    for a, b in zip(plain, biased, strict=True):
        assert a.attributes == b.attributes
        assert np.array_equal(a.label, b.label)
        if a.attributes["sex"] == "M":
            assert np.array_equal(a.image, b.image)
        elif a.label.sum() > 5:
            assert lesion_contrast(b) < lesion_contrast(a)


@pytest.mark.slow
def test_without_bias_the_contrast_does_not_differ_between_the_sexes(small_cohort):
    contrast = {"F": [], "M": []}
    for subject in small_cohort(n=120, lesions=ALWAYS):
        if subject.label.sum() > 5:
            contrast[subject.attributes["sex"]].append(lesion_contrast(subject))
    f, m = (np.array(contrast[sex]) for sex in "FM")
    error = np.sqrt(f.var(ddof=1) / len(f) + m.var(ddof=1) / len(m))
    assert abs(f.mean() - m.mean()) < 3 * error


@pytest.mark.slow
def test_size_bias_shrinks_the_lesions_of_women(small_cohort):
    plain = small_cohort(n=30, lesions=ALWAYS)
    women = [i for i in range(30) if plain.traits(i).sex == "F"]
    biased = replace(plain, bias=Bias(size=0.5))
    assert sum(int(biased[i].label.sum()) for i in women) < 0.5 * sum(int(plain[i].label.sum()) for i in women)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"n": 0}, "n >= 1"), ({"n": 1, "size": (8, 8)}, "at least 16"), ({"n": 1, "contrast": "PD"}, "one of T1w")],
)
def test_an_impossible_cohort_is_refused(small_cohort, arguments, message):
    with pytest.raises(InputError, match=message):
        small_cohort(**arguments)


def test_an_index_outside_ends_the_sequence(small_cohort):
    with pytest.raises(IndexError, match="below 1"):
        small_cohort(n=1)[1]


@pytest.mark.slow
def test_prevalence_bias_does_not_touch_who_keeps_the_same_lesion_state(small_cohort):
    plain = small_cohort(n=20, seed=2)
    biased = replace(plain, bias=Bias(prevalence=0.6))
    kept = [i for i in range(20) if plain.traits(i).lesion == biased.traits(i).lesion]
    assert 8 < len(kept) < 20
    assert all(np.array_equal(plain[i].image, biased[i].image) for i in kept)
