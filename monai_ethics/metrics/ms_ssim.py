# SPDX-License-Identifier: Apache-2.0
"""How alike the images of a set are: MS-SSIM of random pairs, beside that of real images of different patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.metrics import MultiScaleSSIMMetric

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.pair_similarity import PairSimilarity
from monai_ethics.synthesis.features.preprocessing import Preprocessing

__all__ = ["ms_ssim_pairs"]

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, section 3.2
KERNELS = {2: 11, 3: 7}  # pixels a side of the window; its cost in 3D is the cube
SIZES = {2: 176, 3: 48}


def ms_ssim_pairs(
    synthetic: Sequence[torch.Tensor] | torch.Tensor,
    real: Sequence[torch.Tensor] | torch.Tensor,
    *,
    real_patients: Sequence[str],
    synthetic_units: Sequence[str] | None = None,
    pairs: int = 200,
    size: int | None = None,
    seed: int = 0,
) -> PairSimilarity:
    """MS-SSIM of pairs of synthetic images and of pairs of real images of different patients.

    Two units are drawn at random, each pair of units at most once, and an image of each. High similarity is low
    diversity, but only beside that of the real pairs. Images are brought to one size and to their 0.5th to 99.5th
    percentile as 0 to 1, synthetic and real alike; small images are compared at fewer scales, with the weights of the
    remaining ones adding up to 1.

    Args:
        synthetic: images of shape ``(C, *spatial)``, of any sizes; a sequence that reads them when asked is enough.
        real: held-out real images, likewise.
        real_patients: patient of each real image.
        synthetic_units: what counts as one synthetic unit, as in `FeatureSets`; by default each image alone.
        pairs: pairs of either kind at most; all where there are not more.
        size: pixels a side that are compared; by default 176 in 2D and 48 in 3D.
        seed: seed of the pairs; the global random numbers are neither read nor changed.

    Raises:
        InputError: if there are fewer than two units of either kind, or lengths do not match.

    References:
        Wang, Simoncelli, Bovik (2003): Multiscale structural similarity for image quality assessment. Asilomar, 2.
        Odena, Olah, Shlens (2017): Conditional image synthesis with auxiliary classifier GANs. ICML, section 4.2.
    """
    units = synthetic_units if synthetic_units is not None else [f"{i:09d}" for i in range(len(synthetic))]
    if len(units) != len(synthetic) or len(real_patients) != len(real) or pairs < 1:
        raise InputError("Expected a unit or patient for each image and at least one pair: got others. Give them.")
    drawn = {
        "synthetic": _drawn(units, pairs, np.random.default_rng([seed, 0])),
        "real": _drawn(real_patients, pairs, np.random.default_rng([seed, 1])),
    }
    dims = synthetic[0].ndim - 1
    if dims not in SIZES or real[0].ndim - 1 != dims:
        raise InputError("Expected images that are all 2D or all 3D: got others. Compare them apart.")
    compare = _Comparison.of(dims, size or SIZES[dims])
    return PairSimilarity(
        synthetic=[compare(synthetic[i], synthetic[j]) for i, j in drawn["synthetic"]],
        synthetic_pairs=[(units[i], units[j]) for i, j in drawn["synthetic"]],
        real=[compare(real[i], real[j]) for i, j in drawn["real"]],
        real_pairs=[(real_patients[i], real_patients[j]) for i, j in drawn["real"]],
    )


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """MS-SSIM of two images, at as many scales as their size allows."""

    prepare: Preprocessing
    metric: MultiScaleSSIMMetric

    @classmethod
    def of(cls, dims: int, size: int) -> _Comparison:
        kernel = KERNELS[dims]
        if size < 2 * kernel:
            raise InputError(f"`size` must be at least {2 * kernel}: got {size}. Compare more pixels.")
        # MONAI asks for (n - 1)^2 windows, the last of n scales needs 2^(n - 1)
        fits = [n for n in range(2, len(WEIGHTS) + 1) if size // max((n - 1) ** 2, 2 ** (n - 1)) >= kernel]
        scales = max(fits)
        weights = [weight / sum(WEIGHTS[:scales]) for weight in WEIGHTS[:scales]]
        metric = MultiScaleSSIMMetric(spatial_dims=dims, kernel_size=kernel, weights=weights)
        return cls(prepare=Preprocessing(size=size, scale="range", channels=1), metric=metric)

    def __call__(self, first: torch.Tensor, second: torch.Tensor) -> float:
        pair = [(self.prepare(image[None]) + 1) / 2 for image in (first, second)]
        with torch.no_grad():
            value: Any = self.metric(*pair)
        self.metric.reset()  # type: ignore[no-untyped-call]
        return float(value)


def _drawn(units: Sequence[str], pairs: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Rows of pairs of different units, each pair of units at most once."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for row, unit in enumerate(units):
        members[unit].append(row)
    names = sorted(members)
    possible = len(names) * (len(names) - 1) // 2
    if not possible:
        raise InputError("Expected at least two different units on either side: got fewer. Give more images.")
    chosen = np.sort(rng.choice(possible, size=min(pairs, possible), replace=False))
    found = []
    for number in chosen:
        second = int((1 + np.sqrt(8 * int(number) + 1)) // 2)
        second -= second * (second - 1) // 2 > number
        first = int(number) - second * (second - 1) // 2
        one, other = (members[names[at]][int(rng.integers(len(members[names[at]])))] for at in (first, second))
        found.append((one, other))
    return found
