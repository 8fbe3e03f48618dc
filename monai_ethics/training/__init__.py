# SPDX-License-Identifier: Apache-2.0
"""Training with groups in view: balanced sampling and the loss of the worst group (ring 2)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monai_ethics.training.group_dro import GroupDROLoss
    from monai_ethics.training.groups import TrainingGroups
    from monai_ethics.training.sampler import GroupBalancedSampler
    from monai_ethics.training.weights import balanced_weights

__all__ = ["GroupBalancedSampler", "GroupDROLoss", "TrainingGroups", "balanced_weights"]

_HOME = {
    "GroupBalancedSampler": "sampler",
    "GroupDROLoss": "group_dro",
    "TrainingGroups": "groups",
    "balanced_weights": "weights",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
