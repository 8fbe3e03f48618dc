# SPDX-License-Identifier: Apache-2.0
"""Which weights a network has."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

__all__ = ["weight_digest"]


def weight_digest(module: nn.Module) -> str | None:
    """SHA-256 of the names, types, shapes and values of a network's parameters and buffers.

    Args:
        module: any network; on any device.

    Returns:
        64 hex digits, or ``None`` if it has neither parameters nor buffers.
    """
    state = {name: value for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}
    if not state:
        return None
    content = hashlib.sha256()
    for name, value in sorted(state.items()):
        content.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        content.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return content.hexdigest()
