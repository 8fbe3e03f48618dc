# SPDX-License-Identifier: Apache-2.0
"""A stand-in for an image generator whose faults are known: the positive control of every audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from monai_ethics.cohort.attributes import AGE_BANDS
from monai_ethics.cohort.grid import blur
from monai_ethics.cohort.physics import SITE_NAMES
from monai_ethics.cohort.reference import Cohort
from monai_ethics.cohort.subject import Subject
from monai_ethics.errors import InputError

__all__ = ["FaultyGenerator"]

DROPPABLE = ("F", "M", *AGE_BANDS, *SITE_NAMES)
ATTEMPTS = 64  # fresh subjects looked at for one sample when a mode is dropped
COPY_NOISE = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class FaultyGenerator:
    """A sequence of `n` synthetic samples, each following from its position alone.

    Args:
        reference: the cohort it was "trained" on.
        training: positions of the training subjects in `reference`.
        n: number of samples.
        seed: of every random number.
        copies: share of samples that are a training image with 1 % noise: memorization.
        mode_drop: an attribute value never produced, such as ``"F"``, ``"65+"`` or ``"B"``.
        blur: loss of detail, sigma in pixels.
        hallucinate: share of samples whose stated `lesion` contradicts the image.

    Raises:
        InputError: if a share is not in [0, 1], `training` is empty, or `mode_drop` is no such value.
    """

    reference: Cohort
    training: Sequence[int]
    n: int
    seed: int = 1
    copies: float = 0.0
    mode_drop: str | None = None
    blur: float = 0.0
    hallucinate: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.copies <= 1 and 0 <= self.hallucinate <= 1) or self.blur < 0:
            raise InputError("`copies` and `hallucinate` must lie in [0, 1] and `blur` be at least 0: got another.")
        if self.n < 1 or self.seed < 0 or not len(self.training):
            raise InputError("A generator needs n >= 1, seed >= 0 and at least one training subject: got another.")
        if self.mode_drop is not None and self.mode_drop not in DROPPABLE:
            raise InputError(f"`mode_drop` must be one of {', '.join(DROPPABLE)}: got another. Choose one of these.")

    @cached_property
    def copied(self) -> Mapping[int, int]:
        """Sample position to position of the copied subject in `reference`; a mode that is dropped is not copied."""
        rng = np.random.default_rng((self.seed, 1))
        allowed = [i for i in self.training if not self._dropped(self.reference, i)]
        if not allowed:
            return {}
        samples = sorted(int(i) for i in rng.permutation(self.n)[: round(self.copies * self.n)])
        return {i: allowed[int(k)] for i, k in zip(samples, rng.integers(len(allowed), size=len(samples)), strict=True)}

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Subject]:
        return (self[i] for i in range(self.n))

    def __getitem__(self, index: int) -> Subject:
        if not 0 <= index < self.n:
            raise IndexError(f"Expected an index below {self.n}: got {index}.")
        rng = np.random.default_rng((self.seed, 2, index))
        wrong = rng.random() < self.hallucinate
        original = self.copied.get(index)
        subject = self.reference[original] if original is not None else self._fresh(index)
        image = subject.image
        if original is not None:
            image = image * (1 + COPY_NOISE * rng.standard_normal(image.shape)).astype(np.float32)
        if self.blur:
            image = blur(torch.as_tensor(image), self.blur).numpy()
        attributes = dict(subject.attributes)
        if wrong:
            attributes["lesion"] = 1 - int(attributes["lesion"])
        return replace(
            subject,
            subject_id=f"syn-{self.seed:03d}{index:05d}",
            image=image,
            attributes=attributes,
            source="synthetic",
            copy_of=None if original is None else subject.subject_id,
        )

    @cached_property
    def _unseen(self) -> Cohort:
        """People of the same distribution whom the reference cohort does not hold."""
        return replace(self.reference, n=self.n * ATTEMPTS, seed=self.reference.seed + 7919 * (self.seed + 1))

    def _fresh(self, index: int) -> Subject:
        for attempt in range(ATTEMPTS):
            at = index + attempt * self.n
            if not self._dropped(self._unseen, at):
                return self._unseen[at]
        raise InputError("Every drawn subject has the value of `mode_drop`: change it or the cohort's bias.")

    def _dropped(self, cohort: Cohort, index: int) -> bool:
        traits = cohort.traits(index)
        return self.mode_drop in (traits.sex, traits.age_band, traits.site)
