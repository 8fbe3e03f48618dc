# SPDX-License-Identifier: Apache-2.0
"""Fine marks at one place of many synthetic images, and blacked-out rectangles in training images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.text_scan import Box, StaticMarks

__all__ = ["blank_boxes", "static_marks"]

BLUR = 1.5  # pixels: detail finer than this counts
SMALLEST = 4  # pixels of a mark


def static_marks(
    synthetic: np.ndarray,
    holdout: np.ndarray,
    holdout_patients: Sequence[str],
    *,
    strongest: float = 0.01,
    splits: int = 39,
    seed: int = 0,
) -> StaticMarks | None:
    """Places where more synthetic than held-out images have strong fine detail.

    In each image the strongest hundredth of its fine detail (the image less its blur) is marked. A place stands out if
    the share of synthetic images marked there exceeds that of held-out images by more than the shares of two
    patient-disjoint parts of the held-out images ever differ, over random parts: halves, or as many patients as there
    are synthetic images against all others, if that is fewer.

    Args:
        synthetic: shape ``(N, H, W)``, any intensity unit.
        holdout: shape ``(M, H, W)``.
        holdout_patients: patient of each held-out image.
        strongest: share of pixels that are marked in an image.
        splits: random halves.
        seed: of the halves.

    Returns:
        The marks, or ``None`` with fewer than ten held-out patients or synthetic images.

    Raises:
        InputError: if the images are not of one size.
    """
    if synthetic.ndim != 3 or holdout.ndim != 3 or synthetic.shape[1:] != holdout.shape[1:]:
        raise InputError("Static marks need 2D images of one size: got others. Resample them or take equal slices.")
    patients = sorted(set(holdout_patients))
    if len(patients) < 10 or len(synthetic) < 10:
        return None
    marked = {"synthetic": _marked(synthetic, strongest), "holdout": _marked(holdout, strongest)}
    rates = {name: maps.mean(axis=0, dtype=np.float64) for name, maps in marked.items()}
    size = min(len(patients) // 2, len(synthetic))
    threshold = _threshold(marked["holdout"], np.array(holdout_patients), patients, size=size, splits=splits, seed=seed)
    found = rates["synthetic"] - rates["holdout"] > threshold
    labels, _ = ndimage.label(ndimage.binary_dilation(found, iterations=2))
    boxes, shares = [], []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        inside = found & (labels == number)
        if inside.sum() >= SMALLEST:
            boxes.append(_box(place, found.shape))
            shares.append([float(rates[name][inside].mean()) for name in ("synthetic", "holdout")])
    return StaticMarks(
        boxes=tuple(boxes),
        synthetic_rates=tuple(share[0] for share in shares),
        holdout_rates=tuple(share[1] for share in shares),
        threshold=threshold,
    )


def blank_boxes(image: np.ndarray, *, smallest: float = 0.002, largest: float = 0.2) -> tuple[Box, ...]:
    """Rectangles of one value in an image, as masks leave them.

    A mask on a background of the same value cannot be seen.

    Args:
        image: shape ``(H, W)``.
        smallest: share of the image that a rectangle has at least.
        largest: share that it has at most.
    """
    flat = ndimage.maximum_filter(image, size=3) == ndimage.minimum_filter(image, size=3)
    labels, _ = ndimage.label(flat)
    found = []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[place] == number
        share = inside.size / image.size
        if smallest <= share <= largest and inside.mean() >= 0.95:
            found.append(_box(place, image.shape))
    return tuple(found)


def _marked(images: np.ndarray, strongest: float) -> np.ndarray:
    """Where each image has its strongest fine detail, bool, the shape of the images."""
    marked = np.empty(images.shape, dtype=bool)
    for row, image in enumerate(images):
        pixels = np.asarray(image, dtype=np.float64)
        detail = np.abs(pixels - ndimage.gaussian_filter(pixels, BLUR))
        marked[row] = detail > np.quantile(detail, 1 - strongest)
    return marked


def _threshold(
    marked: np.ndarray, owners: np.ndarray, patients: list[str], *, size: int, splits: int, seed: int
) -> float:
    """Largest excess of the share of `size` held-out patients over that of all others, over pixels and splits."""
    rng, largest = np.random.default_rng(seed), 0.0
    for _ in range(splits):
        chosen = rng.permutation(len(patients))[:size]
        part = np.isin(owners, [patients[i] for i in chosen])
        difference = marked[part].mean(axis=0) - marked[~part].mean(axis=0)
        largest = max(largest, float(np.abs(difference).max()))
    return largest


def _box(place: tuple[slice, ...], shape: tuple[int, ...]) -> Box:
    rows, columns = place
    return (rows.start / shape[0], columns.start / shape[1], rows.stop / shape[0], columns.stop / shape[1])
