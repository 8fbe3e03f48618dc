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
MOST_LETTERS = 80


def public_text(text: str | None, least: int) -> str | None:
    """The sentences of a text without a whole number below `least` and without keys; ``None`` if none is left."""
    if text is None:
        return None
    kept = [part for part in re.split(r"(?<=[.;])\s+", text) if not _tells(part, least)]
    return " ".join(kept) or None


def _tells(text: str, least: int) -> bool:
    return bool(_KEYED.search(text)) or any(0 < int(number) < least for number in _NUMBER.findall(text))


def public_subjects(subjects: Sequence[str]) -> tuple[str, ...]:
    """Names of what a finding is about, without digests, pseudonyms and what may be a name of a file."""
    return tuple(text for text in subjects if not _KEYED.search(text) and not re.search(r"[/\\@^]|\.\w{2,4}$", text))


def public_settings(settings: Mapping[str, Any], least: int) -> dict[str, Any]:
    """Settings that are single numbers or words; lists and tables may count groups, and seeds help to recompute."""
    return {name: plain(value) for name, value in settings.items() if _open(name, value, least)}


def _open(name: str, value: Any, least: int) -> bool:
    if isinstance(value, (bool, float)):
        return True
    if isinstance(value, int):
        return name != "seed" and (not 0 < value < least or name.startswith("min_"))
    if isinstance(value, str):
        return len(value) <= MOST_LETTERS and (name in _NAMES or not re.search(r"\d", value))
    return name in _NAMES and isinstance(value, Sequence) and all(isinstance(word, str) for word in value)
