# SPDX-License-Identifier: Apache-2.0
"""Where text in a synthetic image comes from: a leaked overlay, a decoded mask, an invention, or unknown."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from enum import StrEnum

import numpy as np

from monai_ethics.synthesis.data.text_scan import Box, TextHit

__all__ = ["Origin", "normalized", "origin", "overlap", "same_text"]

FEWEST = 4  # letters and digits: shorter readings match by chance


class Origin(StrEnum):
    """Where a text-like region of a synthetic image comes from."""

    LEAK = "leak"
    DECODED_MASK = "decoded mask"
    INVENTION = "invention"
    UNKNOWN = "unknown"


def normalized(text: str) -> str:
    """Letters and digits only, in lower case."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def same_text(first: str, second: str, *, similarity: float) -> bool:
    """Whether two readings are one text but for misread letters; readings below four letters or digits never are."""
    a, b = normalized(first), normalized(second)
    if min(len(a), len(b)) < FEWEST:
        return False
    return SequenceMatcher(a=min(a, b), b=max(a, b), autojunk=False).ratio() >= similarity


def overlap(first: Box, second: Box) -> float:
    """Share of the first box that lies within the second."""
    height = min(first[2], second[2]) - max(first[0], second[0])
    width = min(first[3], second[3]) - max(first[1], second[1])
    area = (first[2] - first[0]) * (first[3] - first[1])
    return max(height, 0.0) * max(width, 0.0) / area if area > 0 else 0.0


def origin(
    hit: TextHit,
    *,
    training: Sequence[TextHit],
    masks: Sequence[Box],
    masked_texts: Sequence[str],
    similarity: float,
    correlation: float,
    sure: float,
) -> Origin:
    """Where a text-like region of a synthetic image comes from.

    A *leak* reads as a text that stands open in a training image, or looks like one at the same place. A *decoded
    mask* reads as a text that was masked in training, or stands where training images are masked. An *invention* was
    read surely and is neither. Everything else is *unknown*.

    Args:
        hit: the region.
        training: regions of all training images.
        masks: where training images are masked.
        masked_texts: what is known to have stood there.
        similarity: share of equal letters above which two readings are one.
        correlation: of two patches above which they look alike.
        sure: score from which a reading counts as sure.
    """
    if any(same_text(hit.text, other.text, similarity=similarity) for other in training):
        return Origin.LEAK
    if any(overlap(hit.box, other.box) > 0.25 and _alike(hit, other) >= correlation for other in training):
        return Origin.LEAK
    if any(same_text(hit.text, text, similarity=similarity) for text in masked_texts):
        return Origin.DECODED_MASK
    if any(overlap(hit.box, mask) >= 0.5 for mask in masks):
        return Origin.DECODED_MASK
    if hit.score >= sure and len(normalized(hit.text)) >= FEWEST:
        return Origin.INVENTION
    return Origin.UNKNOWN


def _alike(first: TextHit, second: TextHit) -> float:
    """Correlation of two patches; -1 if one was not kept or is flat."""
    a, b = np.asarray(first.patch, dtype=np.float64), np.asarray(second.patch, dtype=np.float64)
    if not a.size or a.shape != b.shape or not a.std() or not b.std():
        return -1.0
    return float(np.corrcoef(a, b)[0, 1])
