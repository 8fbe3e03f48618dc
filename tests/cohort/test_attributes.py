# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from monai_ethics.cohort import AGE_BANDS, Bias
from monai_ethics.cohort.attributes import draw_traits
from monai_ethics.errors import InputError


def draw(n=2000, **knobs):
    return [
        draw_traits(np.random.default_rng((0, i)), bias=Bias(**knobs), prevalence=0.5, founders=("one",))
        for i in range(n)
    ]


def share(traits, what, sex):
    chosen = [what(t) for t in traits if t.sex == sex]
    return sum(chosen) / len(chosen)


def test_without_bias_sex_says_nothing_about_lesion_or_site():
    traits = draw()
    assert abs(share(traits, lambda t: t.lesion, "F") - share(traits, lambda t: t.lesion, "M")) < 0.06
    assert abs(share(traits, lambda t: t.site == "B", "F") - share(traits, lambda t: t.site == "B", "M")) < 0.06
    assert abs(np.mean([t.sex == "F" for t in traits]) - 0.5) < 0.03


def test_each_knob_moves_what_it_names():
    assert share(draw(prevalence=0.4), lambda t: t.lesion, "M") == pytest.approx(0.7, abs=0.05)
    assert share(draw(prevalence=0.4), lambda t: t.lesion, "F") == pytest.approx(0.3, abs=0.05)
    assert share(draw(site=0.6), lambda t: t.site == "B", "F") == pytest.approx(0.72, abs=0.05)
    assert np.mean([t.sex == "F" for t in draw(representation=0.6)]) == pytest.approx(0.2, abs=0.03)


def test_ages_lie_in_their_bands():
    for traits in draw(300):
        assert 18 <= traits.age <= 92
        assert traits.age_band == AGE_BANDS[(traits.age >= 40) + (traits.age >= 65)]


@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_a_knob_outside_its_range_is_refused(value):
    with pytest.raises(InputError, match="`contrast` of a bias"):
        Bias(contrast=value)
