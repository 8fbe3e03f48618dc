# SPDX-License-Identifier: Apache-2.0
"""Membership attacks on MONAI's diffusion networks, in image or latent space, in 2D and 3D."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.networks.nets import AutoencoderKL
from monai.networks.schedulers.scheduler import Scheduler

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.attack_scores import AttackScores
from monai_ethics.synthesis.methods.diffusion_attacks import NoisePredictor, loss_errors, pia_errors, secmi_errors

__all__ = ["DiffusionAccess", "attack_scores"]

ATTACKS = ("loss", "pia", "secmi")
SECMI_STEPS = 10


@dataclass(frozen=True, kw_only=True)
class DiffusionAccess:
    """A trained diffusion model as the attacks see it.

    Args:
        network: a `DiffusionModelUNet` or another that is called with ``x``, ``timesteps`` and, where used,
            ``context`` and ``class_labels``.
        scheduler: the scheduler it was trained with, such as `DDPMScheduler` or `DDIMScheduler`; what the network
            predicts (noise, image or velocity) is read from it.
        autoencoder: the `AutoencoderKL` of a latent model; images are encoded to the mean of their latents.
        scale_factor: factor of the latents, as in training.
    """

    network: torch.nn.Module
    scheduler: Scheduler
    autoencoder: AutoencoderKL | None = None
    scale_factor: float = 1.0

    @property
    def alphas_cumprod(self) -> torch.Tensor:
        """Products of the noise schedule, shape ``(T,)``."""
        alphas: torch.Tensor = self.scheduler.alphas_cumprod
        return alphas

    @torch.no_grad()
    def encoded(self, images: torch.Tensor) -> torch.Tensor:
        """What the network sees of images of shape ``(B, C, *spatial)``: the images, or their scaled latents."""
        if self.autoencoder is None:
            return images
        mean: torch.Tensor = self.autoencoder.encode(images)[0]
        return mean * self.scale_factor

    def noise(self, **condition: torch.Tensor | None) -> NoisePredictor:
        """The predicted noise as a function of images and timesteps.

        Args:
            condition: ``context`` or ``class_labels`` of the images, in their order.
        """
        kind = str(getattr(self.scheduler, "prediction_type", "epsilon"))
        given = {name: value for name, value in condition.items() if value is not None}

        def eps(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            predicted: torch.Tensor = self.network(x, timesteps=t, **given)
            return _as_noise(predicted, x, self.alphas_cumprod.to(x)[t], kind=kind)

        return eps


def attack_scores(
    access: DiffusionAccess,
    batches: Iterable[dict[str, Any]],
    *,
    attacks: Sequence[str] = ATTACKS,
    timesteps: dict[str, int] | None = None,
    split_random: bool = False,
) -> AttackScores:
    """Run the attacks on real images of training and held-out patients.

    Networks are in evaluation mode meanwhile and in their former mode afterwards; the global random numbers are left
    as they are.

    Args:
        access: the model.
        batches: dictionaries with ``image`` of shape ``(B, C, *spatial)`` as in training, ``patient`` and ``member``
            of length ``B``, and possibly ``site``, ``context`` and ``class_labels``.
        attacks: which attacks to run.
        timesteps: timestep of an attack by name; by default a fifth of the schedule for the loss
            and PIA, a tenth for SecMI.
        split_random: whether it is on record that patients were assigned to training or holdout at random.

    Returns:
        One row for each image.

    Raises:
        InputError: if an attack is unknown or there is no image.
    """
    steps = _steps(len(access.alphas_cumprod), attacks, timesteps or {})
    columns: dict[str, list[np.ndarray]] = {name: [] for name in attacks}
    rows: dict[str, list[Any]] = {"patient": [], "member": [], "site": []}
    modules = [access.network, *([access.autoencoder] if access.autoencoder is not None else [])]
    modes = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        for batch in batches:
            for name, errors in _errors(access, batch, steps).items():
                columns[name].append(errors)
            for key, values in rows.items():
                values.extend(list(batch[key]) if key in batch else [])
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.train(mode)
    if not rows["patient"]:
        raise InputError("Expected batches with images: got none. Give images of training and held-out patients.")
    return AttackScores(
        errors={name: np.concatenate(parts) for name, parts in columns.items()},
        is_member=np.array([bool(member) for member in rows["member"]]),
        patients=[str(patient) for patient in rows["patient"]],
        sites=[str(site) for site in rows["site"]] or None,
        split_random=split_random,
        settings={"timesteps": steps},
    )


def _steps(length: int, attacks: Sequence[str], given: dict[str, int]) -> dict[str, int]:
    """Timestep of each attack; SecMI's is a multiple of its number of steps."""
    if not attacks or {*attacks, *given} - {*ATTACKS}:
        raise InputError("`attacks` must be some of loss, pia and secmi: got others. Choose among them.")
    fifth = max(1, length // 5)
    steps = {"loss": fifth, "pia": fifth, "secmi": max(SECMI_STEPS, length // 10), **given}
    steps["secmi"] -= steps["secmi"] % SECMI_STEPS
    return {name: steps[name] for name in attacks}


def _errors(access: DiffusionAccess, batch: dict[str, Any], steps: dict[str, int]) -> dict[str, np.ndarray]:
    device = next(access.network.parameters()).device
    with torch.autocast(device.type, enabled=False):
        images = access.encoded(torch.as_tensor(batch["image"]).to(device=device, dtype=torch.float32))
        condition = {name: batch[name].to(device) for name in ("context", "class_labels") if name in batch}
        eps, alphas = access.noise(**condition), access.alphas_cumprod
        found: dict[str, torch.Tensor] = {}
        for name, t in steps.items():
            if name == "secmi":
                found[name] = secmi_errors(eps, alphas, images, timestep=t, interval=t // SECMI_STEPS)
            elif name == "pia":
                found[name] = pia_errors(eps, alphas, images, timestep=t)
            else:
                found[name] = loss_errors(eps, alphas, images, timestep=t)
    return {name: errors.cpu().numpy() for name, errors in found.items()}


def _as_noise(predicted: torch.Tensor, x: torch.Tensor, alphas: torch.Tensor, *, kind: str) -> torch.Tensor:
    """Predicted noise from a predicted noise, image or velocity; alphas of shape ``(B,)``."""
    alpha = alphas.reshape(-1, *[1] * (x.ndim - 1))
    if "sample" in kind:
        return (x - alpha.sqrt() * predicted) / (1 - alpha).sqrt().clamp_min(1e-12)
    if "v_prediction" in kind:
        return alpha.sqrt() * predicted + (1 - alpha).sqrt() * x
    return predicted
