# SPDX-License-Identifier: Apache-2.0
"""The reference cohort: subject i follows from (seed, i) alone, in a cohort of any size and on any worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from monai_ethics.cohort.anatomy import aged_tissue, draw_deformation
from monai_ethics.cohort.attributes import Bias, Traits, draw_traits
from monai_ethics.cohort.founders import Founder, load_founders
from monai_ethics.cohort.grid import image_affine, pixel_centers, sample
from monai_ethics.cohort.lesions import Lesions, bank_lesion, blob_lesion, likely_height
from monai_ethics.cohort.physics import acquire, signal, site_of
from monai_ethics.cohort.subject import Subject
from monai_ethics.errors import InputError

__all__ = ["Cohort"]

CONSPICUITY = (0.45, 1.0)  # how much of a lesion's contrast shows; drawn for each subject
SIGNAL_SPREAD = 0.06  # people differ in T1 and T2: relative standard deviation of each tissue's signal
STRIPPED = 0.3  # tissue fraction below which a skull-stripped image is black


@dataclass(frozen=True, kw_only=True, eq=False)
class Cohort:
    """A sequence of `n` simulated subjects, made on access.

    Args:
        n: number of subjects.
        seed: of every random number; subject i of two cohorts with one seed is the same person.
        contrast: ``"T1w"``, ``"T2w"`` or ``"FLAIR"``.
        size: image size in pixels: 2 lengths for one axial slice, 3 for a volume.
        slices: range of slice heights in mm of MNI space; unused for volumes.
        bias: the disadvantage of one sex, none by default.
        lesions: prevalence and shapes.
        founders: anatomies to start from; ``None`` takes the installed atlases.

    Raises:
        InputError: if `n`, `size` or `contrast` is out of range.

    Notes:
        Bit-identical on one machine with one release of torch; not tested across them. Which founders are installed
        changes the subjects, so the founder is one of their attributes.
    """

    n: int
    seed: int = 0
    contrast: str = "FLAIR"
    size: tuple[int, ...] = (128, 128)
    slices: tuple[float, float] = (0.0, 40.0)
    bias: Bias = field(default_factory=Bias)
    lesions: Lesions = field(default_factory=Lesions)
    founders: Mapping[str, Founder] | None = None

    def __post_init__(self) -> None:
        site_of("A", self.contrast)
        if self.n < 1 or self.seed < 0 or len(self.size) not in (2, 3) or min(self.size) < 16:
            raise InputError(
                "A cohort needs n >= 1, seed >= 0 and 2 or 3 lengths of at least 16 pixels: got another. Change these."
            )

    @cached_property
    def _founders(self) -> Mapping[str, Founder]:
        return self.founders or load_founders()

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Subject]:
        return (self[i] for i in range(self.n))

    def __getitem__(self, index: int) -> Subject:
        if not 0 <= index < self.n:
            raise IndexError(f"Expected an index below {self.n}: got {index}.")
        traits = self.traits(index)
        anatomy_rng, lesion_rng, scan_seed = self._streams(index)[1:]
        shape, height = self._shape_and_height(traits, lesion_rng)
        points = pixel_centers(self.size, height_mm=height)
        founder = self._founders[traits.founder]
        at = draw_deformation(anatomy_rng, founder, age=traits.age, sex=traits.sex)(points)
        clean, lesion = self._ideal(traits, founder, points, at, shape=shape, rng=lesion_rng)
        if height is not None:
            clean, lesion, points = clean[..., 0], lesion[..., 0], points[..., 0, :]
        site = site_of(traits.site, self.contrast)
        generator = torch.Generator().manual_seed(int(scan_seed.integers(2**62)))
        image = acquire(clean, points, site=site, generator=generator) * (clean > 0)
        label = (lesion > 0.5).to(torch.uint8).numpy()[None]
        return Subject(
            subject_id=self.subject_id(index),
            image=image.numpy()[None],
            label=label,
            affine=image_affine(self.size, height_mm=height),
            attributes={
                "sex": traits.sex,
                "age": traits.age,
                "age_band": traits.age_band,
                "site": traits.site,
                "vendor": site.vendor,
                "field_t": site.field_t,
                "founder": traits.founder,
                "lesion": int(label.any()),
                "lesion_voxels": int(label.sum()),
            },
        )

    def subject_id(self, index: int) -> str:
        """Id of a subject from seed and index; it carries no attribute."""
        return f"sub-{self.seed:03d}{index:05d}"

    def traits(self, index: int) -> Traits:
        """Attributes of a subject without making its image."""
        rng = self._streams(index)[0]
        return draw_traits(rng, bias=self.bias, prevalence=self.lesions.prevalence, founders=tuple(self._founders))

    def _streams(self, index: int) -> list[np.random.Generator]:
        """Independent streams for traits, anatomy, lesion and scan, so that no knob moves what it does not mean."""
        return [np.random.default_rng(s) for s in np.random.SeedSequence((self.seed, index)).spawn(4)]

    def _shape_and_height(self, traits: Traits, rng: np.random.Generator) -> tuple[torch.Tensor | None, float | None]:
        """The lesion map from the bank, if any, and the height of the slice, if it is one."""
        shape, uniform = None, float(rng.uniform(*self.slices))
        from_bank, pick = rng.random() < self.lesions.bank_share, rng.random()
        if self.lesions.bank is not None and traits.lesion and from_bank:
            shape = self.lesions.from_bank(pick)
        if len(self.size) == 3:
            return shape, None
        return shape, uniform if shape is None else likely_height(shape, self.slices, rng)

    def _ideal(
        self,
        traits: Traits,
        founder: Founder,
        points: torch.Tensor,
        at: torch.Tensor,
        *,
        shape: torch.Tensor | None,
        rng: np.random.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Noise-free, skull-stripped signal and lesion fraction."""
        maps = sample(founder.maps, at)
        tissue = aged_tissue(maps[:3], traits.age)
        gray, white, fluid = tissue
        disadvantaged = traits.sex == "F"
        shown = float(rng.uniform(*CONSPICUITY)) * (1 - self.bias.contrast * disadvantaged)
        spread = rng.normal(1.0, SIGNAL_SPREAD, 4)
        tissues = signal(site_of(traits.site, self.contrast))
        k = {name: value * factor for (name, value), factor in zip(tissues.items(), spread, strict=True)}
        lesion = torch.zeros_like(gray)
        if traits.lesion:
            shrink = self.bias.size * disadvantaged
            lesion = (
                blob_lesion(points, white, shrink=shrink, rng=rng)
                if shape is None
                else bank_lesion(shape, at, shrink=shrink)
            ) * (gray + white + 0.3 * fluid).clamp(0, 1)
        clean = (gray * k["gray"] + white * k["white"] + fluid * k["fluid"]) * (1 + 0.8 * maps[3])
        clean = clean + lesion * shown * (k["lesion"] * 1.05 - clean)
        return clean * (tissue.sum(0) > STRIPPED), lesion
