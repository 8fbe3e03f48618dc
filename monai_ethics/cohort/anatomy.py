# SPDX-License-Identifier: Apache-2.0
"""From a founder to a person: a random affine and a random diffeomorphism; the brain changes with age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from monai_ethics.cohort.founders import COARSE, Founder
from monai_ethics.cohort.grid import blur, cube, sample

__all__ = ["Deformation", "aged_tissue", "draw_deformation"]

STEPS = 6  # scaling and squaring: 2**6 small steps
GROWTH = 0.0355  # ventricle growth for 30 years, in normalized units per unit gradient


@dataclass(frozen=True, kw_only=True, eq=False)
class Deformation:
    """Where in the founder a point of the subject lies.

    Args:
        matrix: ``(3, 3)``, rotation and scaling.
        shift: ``(3,)``, normalized units.
        displacement: ``(3, m, m, m)`` on the coarse cube, normalized units.
    """

    matrix: torch.Tensor
    shift: torch.Tensor
    displacement: torch.Tensor

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        moved = points @ self.matrix.T + self.shift
        return moved + sample(self.displacement, moved.clamp(-1, 1)).movedim(0, -1)


def draw_deformation(rng: np.random.Generator, founder: Founder, *, age: int, sex: str) -> Deformation:
    """Draw a subject's anatomy: women are 4 % smaller on average, ventricles grow with age.

    Args:
        rng: this subject's own stream.
        founder: whose ventricles are meant.
        age: years.
        sex: ``"F"`` or ``"M"``.
    """
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    velocity = torch.zeros(1, 3, COARSE, COARSE, COARSE)
    for points, amplitude in ((4, 0.040), (8, 0.022)):
        knots = torch.randn(1, 3, points, points, points, generator=generator)
        velocity += amplitude * F.interpolate(knots, size=(COARSE,) * 3, mode="trilinear", align_corners=True)
    velocity = blur(velocity[0], 1.5 * COARSE / 32)
    growth = GROWTH * ((age - 45) / 30) * (1.10 if sex == "M" else 1.0)
    displacement = (velocity + growth * founder.ventricle_gradient) / 2**STEPS
    grid = cube(COARSE)
    for _ in range(STEPS):
        at = (grid + displacement.movedim(0, -1)).clamp(-1, 1)
        displacement = displacement + sample(displacement, at)
    angle = rng.normal(0, 0.07, 3)
    skew = np.array([[0, -angle[2], angle[1]], [angle[2], 0, -angle[0]], [-angle[1], angle[0], 0]])
    scale = np.clip(rng.normal(1.0 if sex == "M" else 0.96, 0.03, 3), 0.85, 1.12)
    rotation = torch.matrix_exp(torch.as_tensor(skew, dtype=torch.float32))
    return Deformation(
        matrix=rotation @ torch.diag(torch.as_tensor(1 / scale, dtype=torch.float32)),
        shift=torch.as_tensor(rng.normal(0, 0.02, 3), dtype=torch.float32),
        displacement=displacement,
    )


def aged_tissue(tissue: torch.Tensor, age: int) -> torch.Tensor:
    """Turn a share of gray matter into fluid after 45 years.

    Args:
        tissue: gray, white and fluid fractions, ``(3, ...)``.
        age: years.
    """
    loss = max(0.0, (age - 45) / 45) * 0.18
    gray, white, fluid = tissue.clamp(0, 1)
    return torch.stack([gray * (1 - loss), white, fluid + gray * loss])
