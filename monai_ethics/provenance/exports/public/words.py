# SPDX-License-Identifier: Apache-2.0
"""What of a finding's text and settings may be told in public."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from monai_ethics.evidence import plain

__all__ = ["public_settings", "public_subjects", "public_text"]

_NUMBER = re.compile(r"(?<![\w.,\-])\d+(?![\w]|[.,]\d|\s?%)")
_KEYED = re.compile(r"[0-9a-f]{16,}|\d{5,}", re.IGNORECASE)
_NAMES = ("attribute", "attributes")
_OPEN = frozenset((*_NAMES, "base_rate", "correction", "decided_by", "family_correction", "higher_is_better", "level",
                   "min_group_size", "n_draws", "n_permutations", "rate", "threshold"))  # fmt: skip
MOST_LETTERS = 80


def public_text(text: str | None, least: int | None) -> str | None:
    """Sentences without a whole number below `least`, or without any digit if it is ``None``, and without keys.

    Returns:
        What is left, or ``None`` if nothing is.
    """
    if text is None:
        return None
    parts = re.split(r"(?<=[.;])\s+", text)
    kept = [part for part in parts if not _tells(part, least)]
    if not kept or kept == parts:
        return " ".join(kept) or None
    kept[0] = kept[0][:1].upper() + kept[0][1:]  # half a sentence is one of its own now
    return " ".join(kept).removesuffix(";").removesuffix(".") + "."


def _tells(text: str, least: int | None) -> bool:
    if least is None:
        return re.search(r"\d", text) is not None
    return bool(_KEYED.search(text)) or any(0 < int(number) < least for number in _NUMBER.findall(text))


def public_subjects(subjects: Sequence[str]) -> tuple[str, ...]:
    """Names of what a finding is about, without digests, pseudonyms and what may be a name of a file."""
    return tuple(text for text in subjects if not _KEYED.search(text) and not re.search(r"[/\\@^]|\.\w{2,4}$", text))


def public_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name: others may count people, as the number of possible exchanges does; seeds help to recompute."""
    return {name: plain(value) for name, value in settings.items() if name in _OPEN and _harmless(name, value)}


def _harmless(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MOST_LETTERS and (name in _NAMES or not re.search(r"\d", value))
    if isinstance(value, Sequence):
        return name in _NAMES and all(isinstance(word, str) for word in value)
    return isinstance(value, (bool, float, int))
