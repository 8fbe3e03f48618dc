# SPDX-License-Identifier: Apache-2.0
"""How marks travel: what content made of several images, or derived from one, says of itself."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["STATES", "carries_synthetic", "combined", "derived_from", "state_of"]

STATES = ("yes", "no", "partial", "unknown")


def state_of(value: object) -> str:
    """The state that a stored flag stands for; what says nothing, or nothing that is understood, is ``"unknown"``.

    Args:
        value: one of `STATES` in any case, a DICOM ``"YES"`` or ``"NO"``, ``True`` or ``False``, or ``None``.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value.strip().lower() if isinstance(value, str) else ""
    return text if text in STATES else "unknown"


def combined(states: Iterable[str | None]) -> str:
    """State of content that several images went into: a mixture, a blend, a sum, a batch described as one.

    ``"yes"`` if all are, ``"no"`` only if each says so, ``"partial"`` if any synthetic content met other content, and
    otherwise ``"unknown"``: absent never becomes no.

    Args:
        states: of `STATES`; ``None`` counts as ``"unknown"``. The order is irrelevant.

    References:
        DICOM PS3.3 C.12.1, Synthetic Data (0008,001C): content derived from synthetic data is expected to be
        flagged as well.
    """
    found = {state_of(state) for state in states}
    if len(found) == 1:
        return found.pop()
    return "partial" if any(map(carries_synthetic, found)) else "unknown"


def derived_from(state: str | None) -> str:
    """State of content derived from one image, such as its segmentation or a resampled copy: the image's own."""
    return state_of(state)


def carries_synthetic(state: object) -> bool:
    """Whether content of this state holds any synthetic part, and must be marked wherever it is written."""
    return state_of(state) in ("yes", "partial")
