# SPDX-License-Identifier: Apache-2.0
"""`voxel_v1` and `slice_v1`: identity of an image by its values, whatever the type, order or container."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from monai_ethics.errors import InputError
from monai_ethics.provenance.images.orientation import reorient

__all__ = ["MIN_LEVELS", "arrange", "slice_digests", "slice_v1", "voxel_v1"]

ROLES = "xyztc"
MIN_LEVELS = 32  # a slice with fewer different values is too common to identify an image
_EXACT = 2**24
_SLAB = 1 << 22  # values hashed at a time
_BLOCK = 32  # rows copied at a time: NIfTI order to C order costs more than the hash unless it stays in the cache


def voxel_v1(array: np.ndarray, *, affine: np.ndarray | None, axes: str) -> str | None:
    r"""Digest of the values of an image in one order.

    ``SHA-256("vox/1\n" + type + "\n" + shape + "\n" + values)``: values after slope and intercept, axes brought to R,
    A, S, t, c, axes of length one dropped, C order, little endian. Type is ``f4``; ``i8`` where all values are whole
    and one exceeds 2^24; ``f8`` where one exceeds float32. There is one NaN and one zero.

    Args:
        array: values, shape as `axes` says.
        affine: voxel index to RAS+ millimeters, shape ``(4, 4)``; ``None`` keeps the order of the file.
        axes: role of each axis, out of ``x y z t c``, such as ``"cxyz"``; ``"yx"`` for the rows of a PNG.

    Returns:
        64 hex digits, or ``None`` for a constant image, which has no identity.

    Raises:
        InputError: if the axes do not fit the array, or it is empty or of another type than numbers.
    """
    values = arrange(array, affine=affine, axes=axes)
    if _constant(values):
        return None
    return _digest(values, b"vox/1")


def arrange(array: np.ndarray, *, affine: np.ndarray | None, axes: str) -> np.ndarray:
    """View with axes in the order x, y, z, t, c, oriented to R, A, S where there is an affine."""
    array = np.asarray(array)
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if len(axes) != array.ndim or len(set(axes)) != len(axes) or not set(axes) <= set(ROLES):
        raise InputError(
            f"`axes` must give each of {array.ndim} axes its role out of x, y, z, t, c: got another text. Name them."
        )
    if array.size == 0 or array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise InputError("An image must hold numbers of at most 64 bits: got none, or another type. Convert it.")
    array = array.transpose([axes.index(role) for role in ROLES if role in axes])
    if affine is not None:
        index: Any = tuple(slice(None) if role in axes else None for role in "xyz")
        array, _ = reorient(array[index], affine)
    return array


def _constant(values: np.ndarray) -> bool:
    first = values.flat[0]
    nan = first != first
    for part in values if values.ndim > 1 else (values,):
        if not bool(np.isnan(part).all() if nan else (part == first).all()):
            return False
    return True


def _type(values: np.ndarray) -> str:
    """Which of the three number formats holds the values."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if (kind in "iu" and size <= 2) or (kind == "f" and size == 2):
        return "<f4"
    with np.errstate(invalid="ignore"):
        largest = max(abs(float(np.nanmax(values))), abs(float(np.nanmin(values))))
    if not largest > _EXACT:
        return "<f4"
    if kind in "iu":
        return "<i8" if largest < 2**63 else "<f8"
    if largest < 2**63 and bool((np.isfinite(values) & (values == np.trunc(values))).all()):
        return "<i8"
    finite = values[np.isfinite(values)]
    top = float(np.abs(finite).max()) if finite.size else 0.0
    return "<f8" if top > float(np.finfo(np.float32).max) else "<f4"


def _digest(values: np.ndarray, domain: bytes) -> str:
    """Hash a view in C order; axes of length one are dropped."""
    values = values.squeeze()
    form = _type(values)
    digest = hashlib.sha256(b"\n".join((domain, form[1:].encode(), ",".join(map(str, values.shape)).encode(), b"")))
    for part in _slabs(values):
        digest.update(_bytes(part, form))
    return digest.hexdigest()


def _slabs(values: np.ndarray) -> Iterator[np.ndarray]:
    """Parts along the first axis."""
    rows = values.shape[0] if values.ndim else 1
    each = min(_BLOCK, max(1, _SLAB * rows // max(values.size, 1)))
    if values.ndim == 0:
        yield values
        return
    for start in range(0, rows, each):
        yield values[start : start + each]


def _bytes(part: np.ndarray, form: str) -> Any:
    data = np.empty(part.shape, dtype=form)
    if part.ndim < 2:
        data[...] = part
    else:
        for start in range(0, part.shape[1], _BLOCK):
            data[:, start : start + _BLOCK] = part[:, start : start + _BLOCK]
    if part.dtype.kind == "f" and form != "<i8":
        data += 0  # -0 becomes 0
        missing = np.isnan(data)
        if missing.any():
            data[missing] = np.nan
    return data.data


def slice_v1(values: np.ndarray) -> str | None:
    """Digest of a 2-D image that is the same for its eight flips and rotations.

    A slice is cut, turned and mirrored on its way into another file, so the digest is that of the orientation whose
    quadrants are in a fixed order. Quadrants are compared by exact integer sums, ties by the digests.

    Args:
        values: shape ``(H, W)``.

    Returns:
        64 hex digits, or ``None`` where fewer than `MIN_LEVELS` different values make it too common.
    """
    if values.ndim != 2 or min(values.shape) < 2 or _few_levels(values):
        return None
    bits = values.astype(np.float32)
    bits += 0
    bits[np.isnan(bits)] = np.nan
    sums = _quadrants(bits.view(np.uint32))
    ranked = [(tuple(int(item) for item in turned.ravel()), number) for number, turned in enumerate(_turns(sums))]
    best = max(key for key, _ in ranked)
    turns = list(_turns(values))
    return min(_digest(turns[number], b"slice/1") for key, number in ranked if key == best)


def _few_levels(values: np.ndarray) -> bool:
    sample = values[:: max(1, values.shape[0] // 64), :: max(1, values.shape[1] // 64)]
    return len(np.unique(sample)) < MIN_LEVELS and len(np.unique(values)) < MIN_LEVELS


def _quadrants(bits: np.ndarray) -> np.ndarray:
    h, w = bits.shape[0] // 2, bits.shape[1] // 2
    top, bottom, left, right = slice(0, h), slice(-h, None), slice(0, w), slice(-w, None)
    return np.array(
        [[bits[rows, columns].sum(dtype=np.uint64) for columns in (left, right)] for rows in (top, bottom)],
        dtype=object,
    )


def _turns(values: np.ndarray) -> Iterator[np.ndarray]:
    """The eight orientations of a 2-D array."""
    for image in (values, values.T):
        for rows in (1, -1):
            for columns in (1, -1):
                yield image[::rows, ::columns]


def slice_digests(array: np.ndarray, *, affine: np.ndarray | None, axes: str) -> tuple[str, ...]:
    """`slice_v1` of every slice across each spatial axis, of every time point and channel, sorted and unique.

    Slices cut from a registered volume are the most common way in which its identity is lost.

    Args:
        array: values, shape as `axes` says.
        affine: voxel index to RAS+ millimeters, or ``None``.
        axes: role of each axis, as for `voxel_v1`.
    """
    values = arrange(array, affine=affine, axes=axes).squeeze()
    if values.ndim < 2:
        return ()
    found: set[str | None] = set()
    spatial = min(3, values.ndim)
    for rest in np.ndindex(values.shape[spatial:]):
        block = values[(..., *rest)] if rest else values
        if spatial == 2:
            found.add(slice_v1(block))
            continue
        for axis in range(3):
            found.update(slice_v1(plane) for plane in np.moveaxis(block, axis, 0))
    return tuple(sorted(item for item in found if item is not None))
