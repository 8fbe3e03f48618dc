# SPDX-License-Identifier: Apache-2.0
"""Transforms that let the recorded attributes of a case reach the metrics (ring 2)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monai_ethics.transforms.attributes import GroupAttributesD, GroupAttributesd, GroupAttributesDict

__all__ = ["GroupAttributesD", "GroupAttributesDict", "GroupAttributesd"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.attributes"), name)
