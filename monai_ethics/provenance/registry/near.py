# SPDX-License-Identifier: Apache-2.0
"""The registered image that is nearest to each of many, by the bits of `robust_v1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monai_ethics.provenance.images.robust import turned

__all__ = ["Near", "nearest"]

_CHUNK = 1 << 16  # registered images compared at a time: memory stays at a few MB, whatever their number
_BITS = {54: 215, 36: 143}


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A registered image that looks like another.

    Args:
        record: id of its record.
        distance: share of bits in which the two differ, in [0, 1].
    """

    record: str
    distance: float


def nearest(hashes: Sequence[str | None], known: Mapping[str, str], *, most: float) -> list[Near | None]:
    """For each image the nearest registered one, if at most `most` of the bits differ.

    Args:
        hashes: `robust_v1` of each image; ``None`` has no neighbor.
        known: registered `robust_v1` to record id.
        most: largest share of differing bits.

    Returns:
        One entry for each image; of equally near ones the first by hash.
    """
    found: list[Near | None] = [None] * len(hashes)
    for digits, bits in _BITS.items():
        texts = sorted(text for text in known if len(text) == digits)
        asked = [place for place, text in enumerate(hashes) if text is not None and len(text) == digits]
        if not texts or not asked:
            continue
        packed = _words(np.frombuffer(bytes.fromhex("".join(texts)), dtype=np.uint8).reshape(len(texts), -1))
        for place in asked:
            index, differing = _closest(_words(turned(str(hashes[place]))), packed)
            if differing <= most * bits:
                found[place] = Near(record=known[texts[index]], distance=differing / bits)
    return found


def _words(packed: np.ndarray) -> np.ndarray:
    """Bytes as 64-bit words, the last one filled with zeros."""
    width = -(-packed.shape[1] // 8) * 8
    wide = np.zeros((len(packed), width), dtype=np.uint8)
    wide[:, : packed.shape[1]] = packed
    return wide.view(np.uint64)


def _closest(ways: np.ndarray, known: np.ndarray) -> tuple[int, int]:
    """Position and number of differing bits of the nearest row."""
    best, least = 0, 1 << 30
    for start in range(0, len(known), _CHUNK):
        part = known[start : start + _CHUNK]
        counts = np.full(len(part), 1 << 15, dtype=np.uint16)
        for way in ways:
            np.minimum(counts, np.bitwise_count(part ^ way).sum(axis=1, dtype=np.uint16), out=counts)
        at = int(counts.argmin())
        if int(counts[at]) < least:
            best, least = start + at, int(counts[at])
    return best, least
