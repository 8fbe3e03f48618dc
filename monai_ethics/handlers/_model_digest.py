# SPDX-License-Identifier: Apache-2.0
"""Identity of a model: SHA-256 over its weights in the order of their names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.parallel import DataParallel, DistributedDataParallel

__all__ = ["engine_networks", "model_digest"]

NETWORKS = ("network", "g_network", "d_network", "networks")
SHARDED = ("FullyShardedDataParallel", "FSDPModule", "DeepSpeedEngine")


def engine_networks(engine: Any) -> dict[str, torch.nn.Module]:
    """Networks of an engine by attribute."""
    found: dict[str, torch.nn.Module] = {}
    for name in NETWORKS:
        value = getattr(engine, name, None)
        if isinstance(value, torch.nn.Module):
            found[name] = value
        elif isinstance(value, (list, tuple)):
            found.update({f"{name}.{i}": net for i, net in enumerate(value) if isinstance(net, torch.nn.Module)})
    return found


def model_digest(network: torch.nn.Module) -> dict[str, Any]:
    """Digest of a network's state dict, the same on every device and under data-parallel wrappers.

    Args:
        network: the network; not changed. A sharded one is not read: one process alone cannot.

    Returns:
        ``sha256`` (or ``None`` with a ``reason``), ``class``, ``tensors``, ``parameters``.
    """
    while isinstance(network, (DataParallel, DistributedDataParallel)):
        network = network.module
    network = getattr(network, "_orig_mod", network)  # torch.compile
    name = f"{type(network).__module__}.{type(network).__qualname__}"
    sharded = any(kind.__name__ in SHARDED for module in network.modules() for kind in type(module).__mro__)
    if sharded:
        return {"class": name, "sha256": None, "reason": "its weights are spread over processes"}
    state = {key: value for key, value in network.state_dict().items() if isinstance(value, torch.Tensor)}
    return {
        "class": name,
        "sha256": state_digest(state),
        "tensors": len(state),
        "parameters": sum(p.numel() for p in network.parameters()),
    }


def state_digest(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over name, type, shape and bytes of each tensor, names sorted."""
    digest = hashlib.sha256(b"monai_ethics.state_dict/1\0")
    for name in sorted(state):
        tensor = state[name].detach().contiguous().cpu()
        head = f"{name}\0{tensor.dtype}\0{','.join(map(str, tensor.shape))}\0"
        digest.update(head.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
