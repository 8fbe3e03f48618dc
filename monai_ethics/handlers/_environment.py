# SPDX-License-Identifier: Apache-2.0
"""What the run ran on: versions, device, seeds and switches, read without consuming a random number."""

from __future__ import annotations

import platform
import secrets
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import ignite.distributed as idist
import torch
from monai.utils import get_seed

__all__ = ["determinism", "environment", "run_name"]

PACKAGES = ("monai_ethics", "monai", "torch", "numpy", "pytorch-ignite", "nibabel", "pydicom", "itk", "scipy")


def run_name(began: float) -> str:
    """Id of a run from its UTC time and 32 random bits of the operating system."""
    return f"run-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(began))}-{secrets.token_hex(4)}"


def environment() -> dict[str, Any]:
    """Versions of the packages that matter, Python, platform, processes and accelerators."""
    cuda = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "processes": idist.get_world_size(),
        "backend": idist.backend(),
        "accelerators": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else [],
        "cuda": torch.version.cuda if cuda else None,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def determinism() -> dict[str, Any]:
    """Seeds and switches as they are now."""
    return {
        "torch_seed": str(torch.initial_seed()),  # up to 64 bits: text, since JSON readers differ above 53
        "monai_seed": None if get_seed() is None else str(get_seed()),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
        "threads": torch.get_num_threads(),
    }
