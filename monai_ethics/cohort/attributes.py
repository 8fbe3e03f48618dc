# SPDX-License-Identifier: Apache-2.0
"""Who a subject is, and the knob that puts one sex at a known disadvantage."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from monai_ethics.cohort.physics import SITE_NAMES
from monai_ethics.errors import InputError

__all__ = ["AGE_BANDS", "Bias", "Traits", "draw_traits"]

AGE_BANDS = ("18-39", "40-64", "65+")
SITE_SHARES = (0.5, 0.3, 0.2)


@dataclass(frozen=True, kw_only=True)
class Bias:
    """A controllable disadvantage of women. With all knobs at zero, sex carries no information about the task.

    Args:
        prevalence: P(lesion) is raised by half of this for men and lowered by half for women.
        contrast: the contrast of women's lesions is multiplied by ``1 - contrast``: a harder task.
        size: the radius of women's blob lesions is multiplied by ``1 - size``; real shapes shrink likewise.
        site: a woman's chance of site B is raised by this share: confounding.
        representation: P(woman) is ``0.5 - representation / 2``.

    Raises:
        InputError: if a knob is not in [0, 1].
    """

    prevalence: float = 0.0
    contrast: float = 0.0
    size: float = 0.0
    site: float = 0.0
    representation: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            if not 0 <= getattr(self, item.name) <= 1:
                raise InputError(f"`{item.name}` of a bias must lie in [0, 1]: got {getattr(self, item.name)}.")


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What is drawn before any anatomy: attributes and whether a lesion is put in."""

    sex: str
    age: int
    site: str
    founder: str
    lesion: bool

    @property
    def age_band(self) -> str:
        return AGE_BANDS[0] if self.age < 40 else AGE_BANDS[1] if self.age < 65 else AGE_BANDS[2]


def draw_traits(rng: np.random.Generator, *, bias: Bias, prevalence: float, founders: tuple[str, ...]) -> Traits:
    """Draw one subject's traits; the same random numbers are used up whatever the bias."""
    sex = "F" if rng.random() < 0.5 - bias.representation / 2 else "M"
    age = int(np.clip(rng.normal(54, 17), 18, 92))
    shares = np.array(SITE_SHARES)
    if sex == "F":
        shares = shares * (1 - bias.site) + bias.site * np.array([0.0, 1.0, 0.0])
    site = SITE_NAMES[min(int(np.searchsorted(np.cumsum(shares), rng.random(), side="right")), len(SITE_NAMES) - 1)]
    shift = bias.prevalence / 2 if sex == "M" else -bias.prevalence / 2
    lesion = bool(rng.random() < prevalence + shift)
    founder = founders[int(rng.random() * len(founders))]
    return Traits(sex=sex, age=age, site=site, founder=founder, lesion=lesion)
