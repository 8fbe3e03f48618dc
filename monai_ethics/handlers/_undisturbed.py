# SPDX-License-Identifier: Apache-2.0
"""Sampling from a network that is being trained, so that the training goes on as if nothing had happened."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["seed_all", "seed_of", "undisturbed"]


def seed_of(*parts: int) -> int:
    """A seed from several numbers, the same everywhere."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "big")


def seed_all(seed: int) -> None:
    """Seed the global generators that exist; a device that nobody has used yet is left alone.

    `torch.manual_seed` would leave a seed for such a device, which takes effect when the training first uses it.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - what a sampler of the user may draw from
    torch.default_generator.manual_seed(seed)
    for device in _devices():
        torch.cuda.default_generators[device].manual_seed(seed)


def _devices() -> list[int]:
    cuda: Any = torch.cuda
    return list(range(cuda.device_count())) if cuda.is_initialized() else []


@contextmanager
def undisturbed(networks: Sequence[nn.Module]) -> Iterator[None]:
    """Networks in eval mode, no gradients, no autocast; afterwards modes, buffers and random states are as before.

    Args:
        networks: what is sampled from.
    """
    modules = [module for network in networks for module in network.modules()]
    modes = [module.training for module in modules]
    buffers = [buffer for network in networks for buffer in network.buffers()]
    before = [buffer.detach().clone() for buffer in buffers]
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with (
            torch.random.fork_rng(devices=_devices()),
            torch.no_grad(),
            torch.autocast("cpu", enabled=False),
            torch.autocast("cuda", enabled=False),
        ):
            for network in networks:
                network.eval()
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        with torch.no_grad():
            for buffer, kept in zip(buffers, before, strict=True):
                if buffer.shape != kept.shape:
                    buffer.resize_(kept.shape)
                if not torch.equal(buffer, kept):
                    buffer.copy_(kept)
