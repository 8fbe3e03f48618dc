# SPDX-License-Identifier: Apache-2.0
"""`robust_v1`: bits of an image that an edit changes little. They flag for review; they prove and refuse nothing."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.fft import dctn

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.voxels import MIN_LEVELS, arrange

__all__ = ["NEAR", "distance", "is_hash", "robust_v1", "turned"]

NEAR = 0.10  # share of differing bits up to which two images are near copies; measured, see the check's page
GRID = 16
_LOW = {2: 12, 3: 6}  # frequencies kept along an axis: 143 and 215 bits without the mean
_DIGITS = {36: 2, 54: 3}  # hex digits to dimensions
_SAMPLES = {2: 256, 3: 64}  # values looked at along an axis
_FEWEST = 4  # values along an axis below which there is nothing to compare
_BODY = 0.15  # share of the range from which on a region counts as body
_SPREAD = 2.2  # half the width of the grid in standard deviations of the body


def robust_v1(array: np.ndarray, *, axes: str, affine: np.ndarray | None) -> str | None:
    """Hash of an image that stays nearly the same when it is cropped, padded, resampled, rescaled, blurred or noisy.

    The image, brought to R, A, S and averaged over time and channels, is clipped at two percentiles and averaged onto
    a grid of 16 points an axis, which is laid around the mean and spread of its body; of the cosine transform the 6
    lowest frequencies of each axis (12 of a flat image) are kept but for the mean. Bits that no flip changes tell
    whether a coefficient exceeds their median, the others whether it is positive: a flip then changes a fixed set of
    bits, so that `distance` can look at every flip.

    Args:
        array: values, shape as `axes` says.
        axes: role of each axis, out of ``x y z t c``, as for `voxel_v1`.
        affine: voxel index to RAS+ millimeters, shape ``(4, 4)``; ``None`` keeps the order of the file.

    Returns:
        54 hex digits (215 bits) of a volume, 36 (143 bits) of a flat image, or ``None`` for what is constant, smaller
        than 4 along an axis, or a label map (fewer than 32 different values).

    Raises:
        InputError: if the axes do not fit the array, or it holds other things than numbers.

    References:
        C. Zauner, Implementation and benchmarking of perceptual image hash functions, 2010, section 3.2 (2-D).
    """
    spatial = 3 if affine is not None else sum(role in axes for role in "xyz")
    values = _one_image(arrange(array, affine=affine, axes=axes), spatial)
    if values is None:
        return None
    grid = _body_grid(values)
    return None if grid is None else _bits(grid)


def _one_image(view: np.ndarray, spatial: int) -> np.ndarray | None:
    """Float32 samples of the spatial axes, which come first, clipped to [0, 1], or nothing."""
    sizes = [size for size in view.shape[:spatial] if size > 1]
    if len(sizes) not in _LOW or min(sizes) < _FEWEST:
        return None
    index = tuple(_sampled(size, _SAMPLES[len(sizes)]) for size in view.shape[:spatial])
    values = view[index].astype(np.float32)
    if values.ndim > spatial:
        values = values.mean(axis=tuple(range(spatial, values.ndim)))
    values = values.squeeze()
    finite = np.isfinite(values)
    if not finite.any() or len(np.unique(values[finite])) < MIN_LEVELS:
        return None
    low, high = np.percentile(values[finite], (1, 99.5))
    if not high > low:
        return None
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    result: np.ndarray = np.clip((values - low) / (high - low), 0, 1)
    return result


def _sampled(size: int, most: int) -> slice:
    step = max(1, size // most)
    kept = (size + step - 1) // step
    return slice((size - 1 - step * (kept - 1)) // 2, None, step)


def _averaged(values: np.ndarray, boxes: list[tuple[float, float]], points: int) -> np.ndarray:
    """Means over equal cells of a box, which may reach beyond the image: there is nothing."""
    for axis, (start, stop) in enumerate(boxes):
        edges = np.linspace(start, stop, points + 1)
        at = np.arange(values.shape[axis])
        inside = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
        weights = (np.clip(inside, 0, None) * (points / (stop - start))).astype(np.float32)
        values = np.moveaxis(np.tensordot(weights, values, axes=(1, axis)), 0, axis)
    return values


def _body_grid(values: np.ndarray) -> np.ndarray | None:
    whole = [(0.0, float(size)) for size in values.shape]
    coarse = _averaged(values, whole, 2 * GRID)  # noise is averaged out before the body is looked for
    low, high = np.percentile(coarse, (1, 99))
    if not high > low:
        return None
    body = np.clip((coarse - low) / (high - low) - _BODY, 0, None)
    boxes = []
    for axis, size in enumerate(values.shape):
        mass = body.sum(tuple(other for other in range(values.ndim) if other != axis))
        at = (np.arange(2 * GRID) + 0.5) * size / (2 * GRID)
        center = float((mass * at).sum() / mass.sum())
        spread = float(np.sqrt((mass * (at - center) ** 2).sum() / mass.sum()))
        reach = max(_SPREAD * spread, 1.0)
        boxes.append((center - reach, center + reach))
    return _averaged(values - np.float32(low), boxes, GRID)


def _bits(grid: np.ndarray) -> str:
    low = _LOW[grid.ndim]
    kept = dctn(grid, norm="ortho")[(slice(0, low),) * grid.ndim].ravel()[1:]
    even = _parities(grid.ndim) == 0
    threshold = np.where(even, np.median(kept[even]), 0.0)
    return np.packbits(kept > threshold).tobytes().hex()


@lru_cache(maxsize=2)
def _parities(dims: int) -> np.ndarray:
    """For each bit, which axes have an odd frequency, as a number: a flip along those changes its sign."""
    axes = np.indices((_LOW[dims],) * dims) % 2
    numbers: np.ndarray = sum(axis << place for place, axis in enumerate(axes)).ravel()[1:]
    return numbers


@lru_cache(maxsize=2)
def _turns(dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Order and change of the bits for each way an image may lie: the flips, of flat images the quarter turns too."""
    count = _LOW[dims] ** dims
    orders = [np.arange(count)]
    if dims == 2:
        orders.append(orders[0].reshape(_LOW[2], _LOW[2]).T.ravel())
    parity = _parities(dims)
    changes = [[bin(number & flip).count("1") % 2 for number in parity] for flip in range(1 << dims)]
    rows = [(order[1:] - 1, change) for order in orders for change in changes]
    return np.array([order for order, _ in rows]), np.array([change for _, change in rows], dtype=np.uint8)


def is_hash(text: object) -> bool:
    """Whether a value from a registry has the form of a `robust_v1`."""
    return isinstance(text, str) and len(text) in _DIGITS and set(text) <= set("0123456789abcdef")


def turned(text: str) -> np.ndarray:
    """Packed bits of an image in each of the eight ways it may lie, shape ``(8, 27)``, of a flat image ``(8, 18)``.

    Args:
        text: what `robust_v1` returned.

    Raises:
        InputError: if it is something else.
    """
    if not is_hash(text):
        raise InputError("Expected a robust_v1 of 54 or 36 hex digits: got another text. Compute it with `robust_v1`.")
    orders, changes = _turns(_DIGITS[len(text)])
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(text), dtype=np.uint8))[: orders.shape[1]]
    return np.packbits(bits[orders] ^ changes, axis=1)


def distance(a: str, b: str) -> float:
    """Share of bits in which two images differ, in [0, 1], in the flip (of flat images: or turn) where they agree most.

    Args:
        a: what `robust_v1` returned.
        b: of another image; a volume and a flat image are 1 apart.
    """
    if len(a) != len(b):
        return 1.0
    other = np.frombuffer(bytes.fromhex(b), dtype=np.uint8)
    differing = int(np.bitwise_count(turned(a) ^ other).sum(axis=1).min())
    return differing / len(_parities(_DIGITS[len(b)]))
