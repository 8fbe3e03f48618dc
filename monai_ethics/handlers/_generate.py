# SPDX-License-Identifier: Apache-2.0
"""Images asked of a generator under a time budget, shared among processes, as features."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch

from monai_ethics.handlers._look import why_failed
from monai_ethics.handlers._real_sets import features_of
from monai_ethics.handlers._undisturbed import seed_all, seed_of, undisturbed
from monai_ethics.handlers.samplers import ImageSampler

__all__ = ["Generated", "Part", "first_text", "gather_features", "generate"]

Part = tuple[int, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Generated:
    """What a generator gave, the same on every process.

    Args:
        features: shape ``(N, d)``, float32, in an order that does not depend on the number of processes.
        reason: why there are none, or fewer than asked for; ``None`` if all is as asked.
    """

    features: np.ndarray
    reason: str | None = None


def generate(
    sampler: ImageSampler, extractor: Any, *, n: int, batch_size: int, seconds: float, seed: tuple[int, ...]
) -> Generated:
    """Sample images in batches, each from a generator of its own, until there are `n` or the time is up.

    Every process must call it. What goes wrong on one is known to all, and nothing is raised.

    Args:
        sampler: makes images.
        extractor: makes features of them.
        n: images, on all processes together.
        batch_size: images at a time.
        seconds: after which no further batch is begun.
        seed: what the batches' seeds are made of.
    """
    parts: list[Part] = []
    reason = None
    begun = time.monotonic()
    try:
        with undisturbed(list(sampler.networks)):
            for batch in range(idist.get_rank(), -(-n // batch_size), idist.get_world_size()):
                if time.monotonic() - begun >= seconds:
                    reason = f"The time budget of {seconds:g} s was used up before all images were sampled."
                    break
                size = min(batch_size, n - batch * batch_size)
                parts.append((batch, _sampled(sampler, extractor, size=size, seed=seed_of(*seed, batch))))
    except Exception as error:  # a user's sampler raises what it likes, and a training has to go on
        reason = why_failed(error, "Sampling")
    return gather_features(parts, reason)


def _sampled(sampler: ImageSampler, extractor: Any, *, size: int, seed: int) -> np.ndarray:
    seed_all(seed)
    images = sampler.sample(size, torch.Generator().manual_seed(seed))
    return features_of(images, extractor)


def gather_features(parts: Sequence[Part], reason: str | None = None) -> Generated:
    """Join the batches of all processes in the order of their numbers (a collective).

    Args:
        parts: number and features of each batch of this process.
        reason: what went wrong here.
    """
    kept = [(number, rows) for number, rows in parts if len(rows)]
    rows = np.concatenate([rows for _, rows in kept]) if kept else np.zeros((0, 0), dtype=np.float32)
    numbers = np.concatenate([np.full(len(rows), number) for number, rows in kept]) if kept else np.zeros(0)
    if idist.get_world_size() > 1:
        rows, numbers, reason = _gathered(rows, numbers, reason)
    order = np.argsort(numbers, kind="stable")
    return Generated(features=rows[order].astype(np.float32), reason=reason)


def _gathered(rows: np.ndarray, numbers: np.ndarray, reason: str | None) -> tuple[np.ndarray, np.ndarray, str | None]:
    told = [json.loads(text) for text in _texts(json.dumps([rows.shape, reason]))]
    shapes, reasons = [tuple(shape) for shape, _ in told], [why for _, why in told if why]
    most, width = max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)
    if not most:
        return rows, numbers, reasons[0] if reasons else None
    padded = torch.zeros(most, width + 1, dtype=torch.float64)
    if len(rows):
        padded[: len(rows), 0] = torch.from_numpy(numbers.astype(np.float64))
        padded[: len(rows), 1:] = torch.from_numpy(rows.astype(np.float64))
    found: Any = idist.all_gather(padded)
    parts = found.cpu().numpy().reshape(len(shapes), most, width + 1)
    joined = np.concatenate([part[: shape[0]] for part, shape in zip(parts, shapes, strict=True)])
    return joined[:, 1:], joined[:, 0], reasons[0] if reasons else None


def first_text(text: str) -> str:
    """The first process's text, on every process (a collective)."""
    return _texts(text if idist.get_rank() == 0 else "-")[0]


def _texts(text: str) -> list[str]:
    found: Any = idist.all_gather(text) if idist.get_world_size() > 1 else [text]
    return [str(one) for one in (found if isinstance(found, list) else [found])]
