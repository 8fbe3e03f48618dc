# SPDX-License-Identifier: Apache-2.0
"""Parts of an entry's body, whose form anybody may have chosen: what has another form counts as absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["as_list", "as_mapping", "as_mappings", "as_text", "as_whole"]


def as_text(value: object) -> str:
    """A text, or an empty one."""
    return value if isinstance(value, str) else ""


def as_whole(value: object) -> int:
    """A whole number, or 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def as_list(value: Any) -> Sequence[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, (list, tuple)) else ()


def as_mapping(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_mappings(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list, if it is one."""
    return [item for item in as_list(value) if isinstance(item, Mapping)]
