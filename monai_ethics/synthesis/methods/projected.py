# SPDX-License-Identifier: Apache-2.0
"""A Frechet distance that speaks of populations: few dimensions, fixed on other images, and its bias taken off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from monai_ethics.errors import InputError, NotAssessableError
from monai_ethics.synthesis.kernels.frechet import fixed_projection, frechet_distance
from monai_ethics.synthesis.methods.floor import drawn_each, rows_by_unit
from monai_ethics.synthesis.methods.jackknife import Jackknifed, balanced_groups, jackknife

__all__ = ["ProjectedFrechet", "projected_frechet"]

ROWS_PER_DIMENSION = 10
DRAWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedFrechet:
    """Result of `projected_frechet`.

    Args:
        dimensions: of the projection.
        estimate: distance between the populations in it.
        smallest: units of the smaller set.
    """

    dimensions: int
    estimate: Jackknifed
    smallest: int


def projected_frechet(
    real: np.ndarray,
    synthetic: np.ndarray,
    reference: np.ndarray,
    *,
    patients: Sequence[str],
    units: Sequence[str],
    groups: int = 20,
    level: float = 0.95,
    seed: int = 0,
) -> ProjectedFrechet:
    """Frechet distance between populations, in the directions in which a third set of images varies most.

    With ``N`` units in the smaller set, at most ``N / 10`` directions are taken: only there does the jackknife take off
    the bias. The value can be negative and is not clamped. It says nothing of the directions left out.

    Args:
        real: shape ``(h, d)``.
        synthetic: shape ``(s, d)``.
        reference: shape ``(t, d)``, which fixes the directions: images that are in neither set.
        patients: patient of each real row; of several images of one, one is drawn at a time.
        units: unit of each synthetic row.
        groups: groups left out in turn.
        level: nominal coverage.
        seed: seed of groups and draws.

    Raises:
        NotAssessableError: if there are fewer than 20 units in a set or 2 images of reference.

    References:
        M. J. Chong and D. Forsyth, Effectively unbiased FID and inception score (2020), on the bias of order 1/N.
    """
    real_rows, made_rows = rows_by_unit(patients), rows_by_unit(units)
    smallest = min(len(real_rows), len(made_rows))
    p = min(smallest // ROWS_PER_DIMENSION, real.shape[1], len(reference) - 1)
    if smallest < 2 * ROWS_PER_DIMENSION or p < 1:
        raise NotAssessableError(
            f"A distance between populations needs {2 * ROWS_PER_DIMENSION} units in each set and training images that "
            f"fix the directions: got {len(real_rows)} and {len(made_rows)} units and {len(reference)} images."
        )
    try:
        directions = fixed_projection(torch.as_tensor(reference), p)
    except InputError as error:
        raise NotAssessableError(f"The training images vary in fewer than the {p} directions asked for.") from error
    x, y = (torch.as_tensor(rows).to(directions) @ directions for rows in (real, synthetic))
    rng = np.random.default_rng(seed)
    groups = min(groups, smallest)
    real_groups = balanced_groups(len(real_rows), groups, rng=rng)
    made_groups = balanced_groups(len(made_rows), groups, rng=rng)
    single = len(real_rows) == len(x) and len(made_rows) == len(y)
    whole, left = [], []
    for _ in range(1 if single else DRAWS):
        a, b = x[drawn_each(real_rows, rng=rng)], y[drawn_each(made_rows, rng=rng)]
        whole.append(frechet_distance(a, b))
        left.append([frechet_distance(a[real_groups != g], b[made_groups != g]) for g in range(groups)])
    shares = [np.bincount(of, minlength=groups) / len(of) for of in (real_groups, made_groups)]
    estimate = jackknife(
        float(np.mean(whole)), np.mean(left, axis=0), shares=np.mean(shares, axis=0), correct_bias=True, level=level
    )
    return ProjectedFrechet(dimensions=p, estimate=estimate, smallest=smallest)
