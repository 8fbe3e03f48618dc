# SPDX-License-Identifier: Apache-2.0
"""Lesions: a random blob in white matter, or the shape of a real lesion mask deformed with the subject."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from monai_ethics.cohort.grid import CENTER_MM, FIELD_OF_VIEW_MM, resample_file, sample
from monai_ethics.errors import InputError

__all__ = ["Lesions", "bank_lesion", "blob_lesion", "likely_height", "load_lesion_bank"]

RADIUS = (0.07, 0.14)  # normalized units: 8 to 17 mm
PARTIAL_VOLUME = 1.6  # undoes the loss of small shapes to smoothing


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesions:
    """Which lesions a cohort has.

    Args:
        prevalence: share of subjects given a lesion.
        bank: real lesion maps in MNI space, ``(K, n, n, n)`` from `load_lesion_bank`; ``None`` for blobs only.
        bank_share: share of the lesions that take their shape from the bank.

    Raises:
        InputError: if a share is not in [0, 1] or the bank has another shape.
    """

    prevalence: float = 0.5
    bank: torch.Tensor | None = None
    bank_share: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.prevalence <= 1 and 0 <= self.bank_share <= 1):
            raise InputError("`prevalence` and `bank_share` must lie in [0, 1]: got another value. Give a share.")
        if self.bank is not None and (self.bank.ndim != 4 or not len(self.bank)):
            raise InputError("A lesion bank must have shape (K, n, n, n): got another. Use `load_lesion_bank`.")

    def from_bank(self, uniform: float) -> torch.Tensor:
        """The map that a uniform number in [0, 1) picks, in proportion to the root of its load.

        Plain chance would spend most slices on patients whose lesions are one pixel wide.

        Raises:
            InputError: if there is no bank.
        """
        if self.bank is None:
            raise InputError("A shape from the bank needs a bank: got none. Give `bank`.")
        return self.bank[min(int(np.searchsorted(self._cumulated, uniform, side="right")), len(self.bank) - 1)]

    @cached_property
    def _cumulated(self) -> np.ndarray:
        bank = torch.zeros(0) if self.bank is None else self.bank
        root = bank.flatten(1).sum(1).double().sqrt().numpy()
        share: np.ndarray = np.cumsum(root / root.sum())
        return share


def load_lesion_bank(paths: Iterable[Path], *, mm: float = 2.0) -> torch.Tensor:
    """Read binary lesion masks in MNI space.

    Args:
        paths: NIfTI files, such as the consensus masks of open_ms_data (Lesjak et al., Neuroinformatics 2017).
        mm: resolution in millimeters.

    Returns:
        Lesion fractions, ``(K, n, n, n)`` float32.

    Raises:
        InputError: if there is no file.
    """
    n = round(FIELD_OF_VIEW_MM / mm) + 1
    maps = [resample_file(path, n, above=0.5) for path in sorted(paths)]
    if not maps:
        raise InputError("A lesion bank needs at least one mask: got none. Name a folder with NIfTI masks.")
    return torch.stack(maps)


def likely_height(lesion: torch.Tensor, heights_mm: tuple[float, float], rng: np.random.Generator) -> float:
    """Draw a slice height in proportion to the lesion load there; uniform where the range has none.

    Args:
        lesion: one map of the bank, ``(n, n, n)``.
        heights_mm: range of z in MNI space.
        rng: this subject's own stream.
    """
    half = FIELD_OF_VIEW_MM / 2
    z = np.linspace(-half, half, lesion.shape[-1]) + CENTER_MM[2]
    load = lesion.sum((0, 1)).double().numpy() * ((z >= heights_mm[0]) & (z <= heights_mm[1]))
    if load.sum() <= 0:
        return float(rng.uniform(*heights_mm))
    return float(rng.choice(z, p=load / load.sum()))


def bank_lesion(lesion: torch.Tensor, points: torch.Tensor, *, shrink: float) -> torch.Tensor:
    """Fraction of lesion at each pixel from a map of the bank.

    Args:
        lesion: one map, ``(n, n, n)``.
        points: founder coordinates of the pixels, ``(..., 3)``.
        shrink: share by which the shapes are thinned, in [0, 1].
    """
    return (sample(lesion[None], points)[0] * PARTIAL_VOLUME * (1 - shrink / 2)).clamp(0, 1)


def blob_lesion(points: torch.Tensor, white: torch.Tensor, *, shrink: float, rng: np.random.Generator) -> torch.Tensor:
    """Fraction of lesion at each pixel: one irregular ellipsoid centered in white matter.

    Args:
        points: subject coordinates of the pixels, ``(..., 3)``.
        white: white matter fraction, ``(...)``.
        shrink: share by which the radius is reduced.
        rng: this subject's own stream.

    Returns:
        ``(...)``; all zero where the image shows no white matter.
    """
    pick, radius = rng.random(), float(rng.uniform(*RADIUS)) * (1 - shrink)
    stretch = torch.as_tensor(rng.uniform(0.75, 1.25, 3), dtype=torch.float32)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    inside = (white > 0.75).flatten().nonzero()[:, 0]
    if not len(inside):
        return torch.zeros_like(white)
    offset = points - points.reshape(-1, 3)[inside[int(pick * len(inside))]]
    knots = torch.randn(1, 1, 12, 12, 12, generator=generator)
    rough = F.interpolate(knots, size=(24,) * 3, mode="trilinear", align_corners=True)[0]
    distance = (offset / (max(radius, 1e-3) * stretch)).pow(2).sum(-1).sqrt()
    distance = distance + 0.22 * sample(rough, (offset / 0.3).clamp(-1, 1))[0]
    return torch.sigmoid((1 - distance) * 9)
