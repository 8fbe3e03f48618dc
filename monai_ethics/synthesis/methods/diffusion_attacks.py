# SPDX-License-Identifier: Apache-2.0
"""Membership attacks on a diffusion model: errors that are smaller on images it was trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch

from monai_ethics.errors import InputError

__all__ = ["NoisePredictor", "loss_errors", "pia_errors", "secmi_errors"]

#: Predicted noise of images ``x``, shape ``(B, C, *spatial)``, at timesteps ``t``, shape ``(B,)``, int64. What the
#: network is conditioned on belongs into the closure, in the order of the images.
NoisePredictor: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@torch.no_grad()
def loss_errors(
    eps: NoisePredictor,
    alphas_cumprod: torch.Tensor,
    images: torch.Tensor,
    *,
    timestep: int = 200,
    draws: int = 8,
    seed: int = 0,
) -> torch.Tensor:
    """The plainest attack: the training loss of an image, with the same noise for every image.

    Args:
        eps: see `NoisePredictor`.
        alphas_cumprod: products of the noise schedule, shape ``(T,)``.
        images: shape ``(B, C, *spatial)``, as the network saw them in training.
        timestep: where the loss is taken.
        draws: noises over which it is averaged; each costs one call of the network.
        seed: of the noises, drawn from a generator of their own on the CPU.

    Returns:
        Errors, shape ``(B,)``, float64, unitless; small errors speak for membership.

    Raises:
        InputError: if the timestep lies outside the schedule.

    References:
        N. Carlini et al., Extracting training data from diffusion models (2023), arXiv 2301.13188, section 5.
    """
    alpha, generator = _at(alphas_cumprod, timestep, images), torch.Generator().manual_seed(seed)
    total = torch.zeros(len(images), dtype=torch.float64, device=images.device)
    for _ in range(draws):
        noise = torch.randn(images.shape[1:], generator=generator, dtype=torch.float32).to(images)
        predicted = eps(alpha.sqrt() * images + (1 - alpha).sqrt() * noise, _times(images, timestep))
        total += (predicted.double() - noise.double()).square().flatten(1).mean(dim=1)
    return total / draws


@torch.no_grad()
def pia_errors(
    eps: NoisePredictor,
    alphas_cumprod: torch.Tensor,
    images: torch.Tensor,
    *,
    timestep: int = 200,
    norm: float = 4.0,
    normalized: bool = False,
) -> torch.Tensor:
    r"""Proximal initialization attack: how far the noise predicted at `timestep` is from the one predicted at 0.

    .. math:: R = \lVert \epsilon(x_0, 0) - \epsilon(\sqrt{\bar\alpha_t}\, x_0
        + \sqrt{1 - \bar\alpha_t}\, \epsilon(x_0, 0),\ t) \rVert_p^p

    It takes two calls of the network and no random number.

    Args:
        eps: see `NoisePredictor`.
        alphas_cumprod: products of the noise schedule, shape ``(T,)``, falling from 1 to 0.
        images: shape ``(B, C, *spatial)``, as the network saw them in training; latents for a latent model.
        timestep: ``t``, from 1 to ``T - 1``.
        norm: ``p``.
        normalized: whether the first prediction is scaled to the mean absolute value of standard normal noise (the
            variant PIAN).

    Returns:
        Errors, shape ``(B,)``, float64, unitless; small errors speak for membership.

    Raises:
        InputError: if the timestep lies outside the schedule.

    References:
        F. Kong et al., An efficient membership inference attack for the diffusion model by proximal initialization
        (ICLR 2024), arXiv 2305.18355, section 3.
    """
    alpha = _at(alphas_cumprod, timestep, images)
    first = eps(images, _times(images, 0))
    if normalized:
        axes = tuple(range(1, first.ndim))
        first = first / first.abs().mean(dim=axes, keepdim=True).clamp_min(1e-12) * (2 / torch.pi) ** 0.5
    noisy = alpha.sqrt() * images + (1 - alpha).sqrt() * first
    second = eps(noisy, _times(images, timestep))
    return (first.double() - second.double()).abs().pow(norm).flatten(1).sum(dim=1)


@torch.no_grad()
def secmi_errors(
    eps: NoisePredictor,
    alphas_cumprod: torch.Tensor,
    images: torch.Tensor,
    *,
    timestep: int = 100,
    interval: int = 10,
) -> torch.Tensor:
    """Step-wise error comparing attack, its statistic: the error of one deterministic step forward and back.

    The image is carried to `timestep` by deterministic (DDIM) steps of `interval`, then one step further and one back;
    the error is the squared distance between the two images at `timestep`.

    Args:
        eps: see `NoisePredictor`.
        alphas_cumprod: products of the noise schedule, shape ``(T,)``.
        images: shape ``(B, C, *spatial)``, as the network saw them in training.
        timestep: where the error is measured, a multiple of `interval`; at most ``T - 1 - interval``.
        interval: length of a step.

    Returns:
        Errors, shape ``(B,)``, float64, in squared units of the image; small errors speak for membership.

    Raises:
        InputError: if the steps lie outside the schedule.

    References:
        J. Duan et al., Are diffusion models vulnerable to membership inference attacks? (ICML 2023), arXiv 2302.01316,
        section 4.
    """
    if interval < 1 or timestep % interval or timestep < interval:
        raise InputError(f"`timestep` must be a multiple of `interval`: got {timestep} and {interval}. Change one.")
    _at(alphas_cumprod, timestep + interval, images)
    x = images
    for start in range(0, timestep, interval):
        x = _step(eps, alphas_cumprod, x, start=start, end=start + interval)
    further = _step(eps, alphas_cumprod, x, start=timestep, end=timestep + interval)
    back = _step(eps, alphas_cumprod, further, start=timestep + interval, end=timestep)
    return (back.double() - x.double()).square().flatten(1).sum(dim=1)


def _step(eps: NoisePredictor, alphas: torch.Tensor, x: torch.Tensor, *, start: int, end: int) -> torch.Tensor:
    """One deterministic step of the sampler from timestep `start` to `end`, in either direction."""
    now, then = _at(alphas, start, x), _at(alphas, end, x)
    noise = eps(x, _times(x, start))
    clean = (x - (1 - now).sqrt() * noise) / now.sqrt()
    return then.sqrt() * clean + (1 - then).sqrt() * noise


def _at(alphas: torch.Tensor, timestep: int, x: torch.Tensor) -> torch.Tensor:
    if not 0 <= timestep < len(alphas):
        raise InputError(
            f"Timesteps must lie within the {len(alphas)} of the schedule: got {timestep}. Choose smaller steps."
        )
    return alphas[timestep].to(device=x.device, dtype=x.dtype)


def _times(x: torch.Tensor, timestep: int) -> torch.Tensor:
    return torch.full((len(x),), timestep, dtype=torch.int64, device=x.device)
