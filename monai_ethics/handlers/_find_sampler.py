# SPDX-License-Identifier: Apache-2.0
"""How an engine that trains a generator can be sampled, found from the engine itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.engines.utils import default_make_latent
from monai.inferers import DiffusionInferer, LatentDiffusionInferer
from torch import nn

from monai_ethics.errors import NotAssessableError
from monai_ethics.handlers._events import owners
from monai_ethics.handlers.samplers import (
    DiffusionSampler,
    GanSampler,
    ImageSampler,
    LatentDiffusionSampler,
    device_of,
    unwrapped,
)

__all__ = ["find_sampler", "moving_average", "one_image"]

GIVE = "Give `SynthesisAudit` a `sampler`."


def one_image(batch: Any) -> torch.Tensor | None:
    """The first image of a batch, shape ``(C, *spatial)``; ``None`` if there is none."""
    if isinstance(batch, (list, tuple)) and batch:
        first = batch[0]
        if isinstance(first, torch.Tensor):
            return first[0] if isinstance(batch, tuple) else first
        return _named(first)
    found = batch if isinstance(batch, torch.Tensor) else _named(batch)
    return found[0] if isinstance(found, torch.Tensor) and found.ndim > 3 else None


def _named(item: Any) -> torch.Tensor | None:
    if not isinstance(item, Mapping):
        return None
    images = [item[key] for key in ("image", "reals") if isinstance(item.get(key), torch.Tensor)]
    return images[0] if images else None


def moving_average(engine: Any) -> nn.Module | None:
    """The averaged network of an `EMAHandler` on the engine; ``None`` if there is none."""
    found = [getattr(one, "ema_model", None) for one in owners(engine)]
    return next((network for network in found if isinstance(network, nn.Module)), None)


def find_sampler(
    engine: Any, *, image: torch.Tensor | None, ema: nn.Module | None = None, steps: int = 50
) -> ImageSampler:
    """A sampler for what an engine trains.

    Args:
        engine: a trainer.
        image: one image as the engine is fed, shape ``(C, *spatial)``.
        ema: network to sample in place of the trained one.
        steps: sampling steps of diffusion.

    Raises:
        NotAssessableError: if the engine does not say how to sample.
    """
    generator = getattr(engine, "g_network", getattr(engine.state, "g_network", None))
    if isinstance(generator, nn.Module):
        return _gan(engine, ema or generator)
    network: Any = getattr(engine, "network", None)
    inferer: Any = getattr(engine, "inferer", None)
    if not isinstance(network, nn.Module) or not isinstance(getattr(inferer, "scheduler", None), nn.Module):
        raise NotAssessableError(f"How images are sampled from this trainer is not known. {GIVE}")
    if getattr(getattr(engine, "prepare_batch", None), "condition_name", None) is not None:
        raise NotAssessableError(f"The network is conditioned, and on what it is to be sampled is not known. {GIVE}")
    if image is None:
        raise NotAssessableError(f"No image was seen in the trainer's batches, so its shape is not known. {GIVE}")
    if isinstance(inferer, LatentDiffusionInferer) or hasattr(inferer, "scale_factor"):
        return _latent(engine, ema or network, image=image, steps=steps)
    if not isinstance(inferer, DiffusionInferer) and not callable(getattr(inferer, "sample", None)):
        raise NotAssessableError(f"How images are sampled from this trainer is not known. {GIVE}")
    return DiffusionSampler(ema or network, inferer.scheduler, image.shape, steps=steps)


def _gan(engine: Any, network: nn.Module) -> ImageSampler:
    latent = getattr(engine, "latent_shape", None)
    if not isinstance(latent, (int, Sequence)):
        raise NotAssessableError(f"This generator makes images from images, not from random latents. {GIVE}")
    if getattr(engine, "g_prepare_batch", default_make_latent) is not default_make_latent:
        raise NotAssessableError(f"The generator's inputs are made by the bundle's own code. {GIVE}")
    return GanSampler(network, latent, inferer=getattr(engine, "g_inferer", None))


def _latent(engine: Any, network: nn.Module, *, image: torch.Tensor, steps: int) -> ImageSampler:
    autoencoder = getattr(engine, "autoencoder_model", None) or getattr(engine, "autoencoder", None)
    if not isinstance(autoencoder, nn.Module):
        raise NotAssessableError(f"The trainer does not hold the autoencoder that decodes its latents. {GIVE}")
    decoder: Any = unwrapped(autoencoder)
    shape = getattr(engine, "latent_shape", None)
    if shape is None:
        latent = decoder.encode_stage_2_inputs(torch.as_tensor(image)[None].to(device_of(decoder)))
        shape = tuple(latent.shape[1:])
    inferer = engine.inferer if isinstance(engine.inferer, LatentDiffusionInferer) else None
    return LatentDiffusionSampler(
        network,
        decoder,
        engine.inferer.scheduler,
        shape,
        steps=steps,
        scale_factor=float(getattr(engine.inferer, "scale_factor", 1.0)),
        inferer=inferer,
    )
