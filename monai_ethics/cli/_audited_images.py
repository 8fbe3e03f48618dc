# SPDX-License-Identifier: Apache-2.0
"""What an audit computes from images while they are at hand: similarity of pairs, planted copies, a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from monai_ethics.evidence import Finding
    from monai_ethics.synthesis.data.feature_sets import FeatureSets
    from monai_ethics.synthesis.data.image_set import ImageSet
    from monai_ethics.synthesis.data.pair_similarity import PairSimilarity
    from monai_ethics.synthesis.data.planted_copies import PlantedCopies
    from monai_ethics.synthesis.features.extractor import FeatureExtractor

__all__ = ["Lazy", "gallery_of", "planted_of", "similarity_of"]

SHOWN, PAIRS = 48, 40  # synthetic images and pairs on the page of images
COPIED = 40  # training patients of whom copies are planted at most


@dataclass(frozen=True)
class Lazy(Sequence["torch.Tensor"]):
    """Images of a set, read when asked for, each of shape ``(C, *spatial)``."""

    images: ImageSet

    def __len__(self) -> int:
        return len(self.images.files)

    def __getitem__(self, row: Any) -> Any:
        import torch

        from monai_ethics.synthesis.data.images import read_image

        return torch.from_numpy(read_image(self.images.files[row], called=f"number {row + 1} in sorted order"))


def similarity_of(sets: dict[str, ImageSet], *, seed: int) -> PairSimilarity | None:
    """MS-SSIM of pairs, or ``None`` where images are not at hand or too few."""
    made, real = sets["synthetic"], sets["holdout"]
    if not made.files or not real.files or min(len(set(made.patients)), len(set(real.patients))) < 2:
        return None
    from monai_ethics.metrics.ms_ssim import ms_ssim_pairs

    return ms_ssim_pairs(
        Lazy(made), Lazy(real), real_patients=real.patients, synthetic_units=made.patients, pairs=100, seed=seed
    )


def planted_of(
    sets: FeatureSets,
    images: dict[str, ImageSet],
    extractors: Callable[[int], Sequence[FeatureExtractor]],
    *,
    seed: int,
) -> PlantedCopies | None:
    """Altered copies of training images of some patients, in the spaces of the sets; ``None`` without images."""
    train, made = images["train"], images["synthetic"]
    if not train.files or not made.files:
        return None
    from monai_ethics.synthesis.features.pixels import PixelExtractor
    from monai_ethics.synthesis.features.planted import planted_copies
    from monai_ethics.synthesis.features.views import standard_views

    first = {patient: row for row, patient in reversed(list(enumerate(train.patients)))}
    chosen = np.random.default_rng(seed).permutation(sorted(first))[:COPIED]
    rows = [first[str(patient)] for patient in chosen]
    read, made_images = Lazy(train), Lazy(made)
    copied = [read[row] for row in rows]
    dims = copied[0].ndim - 1
    known = {item.protocol.name: item for item in (*extractors(dims), PixelExtractor(spatial_dims=dims))}
    if any(space not in known for space in sets.spaces):
        return None
    behind = [made_images[row] for row in range(min(4, len(made_images)))] if dims == 3 else []
    behind = [volume for volume in behind if volume.shape == copied[0].shape]
    return planted_copies(
        sets,
        copied,
        [str(patient) for patient in chosen],
        [known[space] for space in sets.spaces],
        backgrounds=behind if all(image.shape == copied[0].shape for image in copied) else [],
        views=standard_views(dims) if sets.synthetic_views else (),
        seed=seed,
    )


def gallery_of(
    images: dict[str, ImageSet], findings: Sequence[Finding], named: Callable[[str], str], *, seed: int
) -> bytes | None:
    """A page of synthetic images and of listed pairs; ``None`` where images or Pillow are missing.

    Args:
        images: the three sets.
        findings: whose observations name items as ``<set>/<name>``.
        named: pseudonym of an item.
        seed: which synthetic images are shown.
    """
    from monai_ethics.errors import MissingDependencyError
    from monai_ethics.reporting.gallery import ImagePair, render_gallery, thumbnail

    if not all(images[role].files for role in ("train", "synthetic")):
        return None
    place = {f"{role}/{name}": (role, row) for role in images for row, name in enumerate(images[role].names)}

    def shown(item: str) -> Any:
        role, row = place[item]
        found = Lazy(images[role])[row]
        upright = not str(images[role].files[row][0]).lower().endswith((".nii", ".nii.gz"))
        return thumbnail(found.numpy()[0], label=named(item)[:12], rows_first=upright)

    try:
        made = images["synthetic"].names
        rows = np.sort(np.random.default_rng(seed).permutation(len(made))[:SHOWN])
        samples = [shown(f"synthetic/{made[row]}") for row in rows]
        pairs = [
            ImagePair(
                kind=pair.label,
                train=shown(pair.items[0]),
                synthetic=shown(pair.items[1]),
                measured="" if pair.value is None else f"{pair.value:.3g} {pair.unit.removeprefix('1')}".strip() + ".",
                note=pair.note,
            )
            for finding in findings
            for pair in finding.observations
            if len(pair.items) == 2 and pair.items[0].startswith("train/") and pair.items[1].startswith("synthetic/")
        ]
        return render_gallery(samples, pairs[:PAIRS], total=len(made)).encode()
    except MissingDependencyError:
        return None
