# SPDX-License-Identifier: Apache-2.0
"""The host's door: MONAI bundles, unedited (ring 4). Names are imported on first use, MONAI with them."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["EthicsWorkflow", "find_engines", "overlay_handlers", "overlay_session", "wrap_saver"]

_HOMES = {
    "EthicsWorkflow": "workflow",
    "find_engines": "engines",
    "overlay_handlers": "standalone",
    "overlay_session": "standalone",
    "wrap_saver": "saver",
}


def __getattr__(name: str) -> Any:
    """Import a public name from the module it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
