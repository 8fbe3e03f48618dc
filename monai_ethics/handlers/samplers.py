# SPDX-License-Identifier: Apache-2.0
"""How images are asked of a generator: diffusion, latent diffusion, a GAN, or any callable."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from monai.inferers import DiffusionInferer, LatentDiffusionInferer
from monai.networks.schedulers import DDIMScheduler
from torch import nn

from monai_ethics.errors import InputError

__all__ = [
    "CallableSampler",
    "DiffusionSampler",
    "GanSampler",
    "ImageSampler",
    "LatentDiffusionSampler",
    "as_sampler",
    "ddim",
    "device_of",
    "unwrapped",
]

Conditions: TypeAlias = torch.Tensor | Callable[[int, torch.Generator], torch.Tensor] | None


@runtime_checkable
class ImageSampler(Protocol):
    """What `SynthesisAudit` asks images of.

    Its `networks` are put into eval mode while it samples. All its randomness should come from the generator; what it
    draws from the global generators of torch, numpy and Python is made reproducible and leaves no trace.
    """

    @property
    def networks(self) -> Sequence[nn.Module]:
        """Networks that it uses."""

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """`n` images of shape ``(n, C, *spatial)``.

        Args:
            n: images.
            generator: a seeded generator on the CPU, the audit's own.
        """


class CallableSampler:
    """A user's own function as a sampler.

    Args:
        function: takes the number of images and a generator; gives images of shape ``(n, C, *spatial)``.
        networks: networks that it uses.
    """

    def __init__(
        self, function: Callable[[int, torch.Generator], torch.Tensor], *, networks: Sequence[nn.Module] = ()
    ) -> None:
        self.function = function
        self.networks = tuple(networks)

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        return self.function(n, generator)


class DiffusionSampler:
    """Images of a diffusion network, sampled with DDIM.

    Args:
        network: predicts the noise (or what the scheduler's `prediction_type` says), such as `DiffusionModelUNet`.
        scheduler: the scheduler of the training; its copy samples, so that its timesteps stay.
        shape: ``(C, *spatial)`` of an image.
        steps: sampling steps; fewer are faster.
        conditions: conditions to draw from, shape ``(M, ...)``, or a function of the number of images and a
            generator; ``None`` for none.
        mode: how the network takes a condition, ``"crossattn"`` or ``"concat"``.
    """

    def __init__(
        self,
        network: nn.Module,
        scheduler: Any,
        shape: Sequence[int],
        *,
        steps: int = 50,
        conditions: Conditions = None,
        mode: str = "crossattn",
    ) -> None:
        self.network: Any = unwrapped(network)
        self.scheduler = ddim(scheduler, steps=steps)
        self.shape = tuple(int(size) for size in shape)
        self.conditions = conditions
        self.mode = mode

    @property
    def networks(self) -> Sequence[nn.Module]:
        return (self.network,)

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        device = device_of(self.network)
        noise = torch.randn((n, *self.shape), generator=generator).to(device)
        condition = _drawn(self.conditions, n, generator)
        return self._images(noise, None if condition is None else condition.to(device))

    def _images(self, noise: torch.Tensor, condition: torch.Tensor | None) -> torch.Tensor:
        return _tensor(
            DiffusionInferer(self.scheduler).sample(
                noise, self.network, self.scheduler, conditioning=condition, mode=self.mode, verbose=False
            )
        )


class LatentDiffusionSampler(DiffusionSampler):
    """Images of a latent diffusion network, sampled with DDIM and decoded.

    Args:
        network: predicts the noise of latents.
        autoencoder: decodes latents, such as `AutoencoderKL`.
        scheduler: the scheduler of the training; its copy samples.
        shape: ``(C, *spatial)`` of a latent.
        steps: sampling steps.
        scale_factor: what latents were multiplied by for the network.
        inferer: the training's own `LatentDiffusionInferer`, which knows how latents are resized; ``None`` makes one.
        conditions: as for `DiffusionSampler`.
        mode: as for `DiffusionSampler`.
    """

    def __init__(
        self,
        network: nn.Module,
        autoencoder: nn.Module,
        scheduler: Any,
        shape: Sequence[int],
        *,
        steps: int = 50,
        scale_factor: float = 1.0,
        inferer: Any = None,
        conditions: Conditions = None,
        mode: str = "crossattn",
    ) -> None:
        super().__init__(network, scheduler, shape, steps=steps, conditions=conditions, mode=mode)
        self.autoencoder: Any = unwrapped(autoencoder)
        self.inferer = inferer or LatentDiffusionInferer(self.scheduler, scale_factor=scale_factor)

    @property
    def networks(self) -> Sequence[nn.Module]:
        return (self.network, self.autoencoder)

    def _images(self, noise: torch.Tensor, condition: torch.Tensor | None) -> torch.Tensor:
        return _tensor(
            self.inferer.sample(
                input_noise=noise,
                autoencoder_model=self.autoencoder,
                diffusion_model=self.network,
                scheduler=self.scheduler,
                conditioning=condition,
                mode=self.mode,
                verbose=False,
            )
        )


class GanSampler:
    """Images of a generator that maps latents to images.

    Args:
        network: the generator.
        latent_shape: shape of one latent, standard normal.
        inferer: calls the network; ``None`` calls it directly.
    """

    def __init__(self, network: nn.Module, latent_shape: int | Sequence[int], *, inferer: Any = None) -> None:
        self.network = unwrapped(network)
        sizes = (latent_shape,) if isinstance(latent_shape, int) else latent_shape
        self.latent_shape = tuple(int(size) for size in sizes)
        self.inferer = inferer

    @property
    def networks(self) -> Sequence[nn.Module]:
        return (self.network,)

    def sample(self, n: int, generator: torch.Generator) -> torch.Tensor:
        latents = torch.randn((n, *self.latent_shape), generator=generator).to(device_of(self.network))
        return _tensor(self.network(latents) if self.inferer is None else self.inferer(latents, self.network))


def as_sampler(given: Any) -> ImageSampler:
    """A sampler from a sampler or a callable.

    Raises:
        InputError: if it is neither.
    """
    if isinstance(given, ImageSampler):
        return given
    if callable(getattr(given, "sample", None)):
        return CallableSampler(given.sample, networks=[given] if isinstance(given, nn.Module) else ())
    if not callable(given) or isinstance(given, type):
        raise InputError(
            "`sampler` must have a method `sample(n, generator)` or be such a function: got neither. Give one."
        )
    return CallableSampler(given, networks=[given] if isinstance(given, nn.Module) else ())


def ddim(scheduler: Any, *, steps: int) -> Any:
    """A scheduler for sampling in `steps` steps with the noise of a training's scheduler, which stays as it is.

    Schedulers without `alphas_cumprod`, such as those of rectified flow, are copied as they are.

    Args:
        scheduler: a scheduler of MONAI.
        steps: sampling steps, at most the training's.
    """
    if not hasattr(scheduler, "alphas_cumprod"):
        return copy.deepcopy(scheduler)
    made = DDIMScheduler(num_train_timesteps=scheduler.num_train_timesteps)
    for name in ("betas", "alphas", "alphas_cumprod", "clip_sample", "clip_sample_values", "prediction_type"):
        if hasattr(scheduler, name):
            setattr(made, name, copy.deepcopy(getattr(scheduler, name)))
    made.final_alpha_cumprod = getattr(scheduler, "final_alpha_cumprod", torch.tensor(1.0))
    made.steps_offset = getattr(scheduler, "steps_offset", 0)
    made.set_timesteps(min(steps, scheduler.num_train_timesteps))
    return made


def unwrapped(network: nn.Module) -> nn.Module:
    """The network inside a wrapper for several processes, whose forward pass would speak to the others."""
    inner = getattr(network, "module", None)
    parallel = isinstance(network, (nn.DataParallel, nn.parallel.DistributedDataParallel))
    return inner if parallel and isinstance(inner, nn.Module) else network


def device_of(network: nn.Module) -> torch.device:
    """Where the network computes."""
    first = next(iter(network.parameters()), None)
    return torch.device("cpu") if first is None else first.device


def _drawn(conditions: Conditions, n: int, generator: torch.Generator) -> torch.Tensor | None:
    if conditions is None or callable(conditions):
        return None if conditions is None else conditions(n, generator)
    return conditions[torch.randint(len(conditions), (n,), generator=generator)]


def _tensor(images: Any) -> torch.Tensor:
    found = images[0] if isinstance(images, (tuple, list)) else images
    return torch.as_tensor(found)
