# SPDX-License-Identifier: Apache-2.0
"""What computes features from images, and any network as one."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import nn

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.protocol import FeatureProtocol
from monai_ethics.synthesis.features.preprocessing import Preprocessing
from monai_ethics.synthesis.features.weights import weight_digest

__all__ = ["FeatureExtractor", "latent_extractor", "module_extractor"]

PROBED = 64  # pixels a side of the image on which the width is found, where the preprocessing sets no size


@runtime_checkable
class FeatureExtractor(Protocol):
    """From images to features, the same features for the same image whatever stands beside it in the batch."""

    @property
    def protocol(self) -> FeatureProtocol:
        """How the features are computed."""

    def __call__(self, images: torch.Tensor, /) -> torch.Tensor:
        """Features of images.

        Args:
            images: shape ``(B, C, H, W)`` or ``(B, C, D, H, W)``, any intensity unit.

        Returns:
            Shape ``(B, d)``, float32, unitless.
        """


class _ModuleExtractor:
    """Features from a network; made by `module_extractor`."""

    def __init__(self, module: nn.Module, preprocessing: Preprocessing, *, layer: str | None, pool: int) -> None:
        self._module = module
        self._preprocessing = preprocessing
        self._layer = layer
        self._pool = pool
        self._dims = 0
        self._protocol: FeatureProtocol | None = None

    def described(self, name: str, spatial_dims: int, fitted_on_train: bool | None) -> _ModuleExtractor:
        """Find the width on an empty image, twice, and write the protocol."""
        self._dims = spatial_dims
        side = self._preprocessing.size or PROBED
        image = torch.zeros(1, self._preprocessing.channels or 1, *[side] * spatial_dims)
        try:
            first, second = self._features(image), self._features(image, moved_on=True)
        except RuntimeError as error:
            raise InputError(
                "Expected a network that takes images of the given channels and size: got one that does not. "
                "Give `channels` and `size` in the preprocessing."
            ) from error
        if not torch.equal(first, second):
            raise InputError(
                "Expected a network that gives the same features for the same image: got one that draws random "
                "numbers. Name a layer before that, or use the latent mean."
            )
        kind = getattr(self._module, "described_as", type(self._module).__name__)
        self._protocol = FeatureProtocol(
            name=name,
            width=first.shape[1],
            weights=weight_digest(self._module),
            preprocessing={
                **self._preprocessing.to_dict(),
                "network": kind,
                "layer": self._layer,
                "averaged_to": self._pool,
            },
            spatial_dims=spatial_dims,
            fitted_on_train=fitted_on_train,
        )
        return self

    @property
    def protocol(self) -> FeatureProtocol:
        """How the features are computed."""
        if self._protocol is None:
            raise InputError("Expected an extractor made by `module_extractor`: got one made otherwise. Use it.")
        return self._protocol

    def __call__(self, images: torch.Tensor, /) -> torch.Tensor:
        if images.ndim != 2 + self._dims:
            raise InputError(
                f"Expected images of shape (batch, channels, {self._dims} axes): got {images.ndim} axes. Use an "
                "extractor for as many dimensions as the images have."
            )
        return self._features(images)

    def _features(self, images: torch.Tensor, *, moved_on: bool = False) -> torch.Tensor:
        place = next((item for item in (*self._module.parameters(), *self._module.buffers())), images)
        prepared = self._preprocessing(images).to(place.device)
        if place.is_floating_point() and prepared.dtype != place.dtype:
            prepared = prepared.to(place.dtype)
        with _untouched(self._module, place.device), self._tapped() as tapped:
            if moved_on:  # what draws random numbers now draws others
                torch.rand(1, device=place.device)
            output = self._module(prepared)
        return self._pooled(tapped[0] if self._layer is not None and tapped else output, called=bool(tapped))

    @contextlib.contextmanager
    def _tapped(self) -> Iterator[list[Any]]:
        """What the named layer gives during one call."""
        kept: list[Any] = []
        if self._layer is None:
            yield kept
            return
        layers = dict(self._module.named_modules())
        layer = layers.get(self._layer)
        if layer is None or isinstance(layer, torch.jit.ScriptModule):
            close = difflib.get_close_matches(self._layer, list(layers), n=3, cutoff=0.0)
            raise InputError(
                "Expected the name of a layer of a network that is not TorchScript: got another. Take one such as "
                f"{', '.join(name for name in close if name)}."
            )
        hook = layer.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        try:
            yield kept
        finally:
            hook.remove()

    def _pooled(self, output: Any, *, called: bool) -> torch.Tensor:
        if self._layer is not None and not called:
            raise InputError("Expected a layer that the network calls: got one that it does not. Name another.")
        found = output[0] if isinstance(output, (tuple, list)) and output else output
        if not isinstance(found, torch.Tensor) or found.ndim not in (2, 3, 2 + self._dims):
            raise InputError(
                "Expected features of shape (batch, features), (batch, tokens, features) or (batch, channels, axes of "
                "the image) from the network: got another. Name a layer that gives such."
            )
        found = found.detach().float()
        if found.ndim == 3:  # tokens of a transformer
            return found.mean(dim=1)
        if found.ndim == 2:
            return found
        pool: Any = F.adaptive_avg_pool2d if self._dims == 2 else F.adaptive_avg_pool3d
        pooled: torch.Tensor = pool(found, self._pool).flatten(1)
        return pooled


def module_extractor(
    module: nn.Module,
    *,
    name: str,
    spatial_dims: int,
    preprocessing: Preprocessing | None = None,
    layer: str | None = None,
    pool: int = 1,
    fitted_on_train: bool | None = None,
) -> FeatureExtractor:
    """Features from any network, such as a bundle's own encoder.

    The network is used as it is: without gradients, in evaluation mode for the time of the call, its flags and the
    global random numbers as before afterwards.

    Args:
        module: the network, on the device where it is to run.
        name: name of the space.
        spatial_dims: 2 or 3.
        preprocessing: what is done to an image before; by default 64 pixels a side, one channel, standardized.
        layer: name of the layer whose output is taken, as in ``module.named_modules()``; ``None`` for the network's.
        pool: pixels a side to which a feature map is averaged before it is flattened.
        fitted_on_train: whether the network was fitted to the training images of the audit; ``None`` if not known.

    Raises:
        InputError: if there is no such layer, or the network does not give features, or not the same ones twice.
    """
    if spatial_dims not in (2, 3) or pool < 1:
        raise InputError("Expected 2 or 3 dimensions and `pool` of at least 1: got others. Give those of the images.")
    before = preprocessing or Preprocessing(size=64, channels=1)
    made = _ModuleExtractor(module, before, layer=layer, pool=pool)
    return made.described(name, spatial_dims, fitted_on_train)


class _LatentMean(nn.Module):
    """The mean of the encoder's distribution, as a network's output."""

    def __init__(self, autoencoder: nn.Module) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.described_as = f"{type(autoencoder).__name__}.encode"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Latent mean, shape ``(B, latent channels, ...)``."""
        encode: Any = self.autoencoder.encode
        mean: torch.Tensor = encode(images)[0]
        return mean


def latent_extractor(
    autoencoder: nn.Module,
    *,
    spatial_dims: int,
    preprocessing: Preprocessing | None = None,
    name: str = "latent mean",
    pool: int = 4,
    fitted_on_train: bool | None = None,
) -> FeatureExtractor:
    """Features in the latent space of an autoencoder such as MONAI's ``AutoencoderKL``: the mean, not a sample.

    Args:
        autoencoder: a network whose ``encode`` gives mean and spread.
        spatial_dims: 2 or 3.
        preprocessing: see `module_extractor`.
        name: name of the space.
        pool: latent pixels a side that are kept.
        fitted_on_train: see `module_extractor`; the autoencoder of a latent diffusion model usually was.
    """
    if not callable(getattr(autoencoder, "encode", None)):
        raise InputError("Expected an autoencoder with `encode`: got a network without it. Use `module_extractor`.")
    return module_extractor(
        _LatentMean(autoencoder),
        name=name,
        spatial_dims=spatial_dims,
        preprocessing=preprocessing,
        pool=pool,
        fitted_on_train=fitted_on_train,
    )


@contextlib.contextmanager
def _untouched(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode, no gradients, full precision; flags and random numbers are put back."""
    training = [part for part in module.modules() if part.training]
    on_gpu = device.type == "cuda"
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[device] if on_gpu else []))
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.autocast(device.type, enabled=False))
        if on_gpu:  # TF32 would round features to ten bits
            known = torch.backends.cudnn
            settings = {"benchmark": False, "deterministic": True, "allow_tf32": False}
            stack.enter_context(known.flags(enabled=known.enabled, **settings))
        for part in training:
            part.training = False
        try:
            yield
        finally:
            for part in training:
                part.training = True
